import { type FlowComponent, type FlowRule, flowOrderKey, flowRule, flowTreatment, printFlow } from '@weir/bgp/flowspec';
import { covers, type Prefix, printPrefix } from '@weir/wire/inet';
import type { ActiveFlow, SetFlows } from '../../model/flow.ts';
import type { StateClock } from '../route-state-options.ts';
import { Admission } from './admission.ts';
import { Refusals } from './refusals.ts';

/** Why a member does not become a rule. */
const SET_FLOW_REFUSALS = ['family', 'length', 'prefix', 'protected', 'unenforceable', 'overflow'] as const;
export type SetFlowRefusal = (typeof SET_FLOW_REFUSALS)[number];

/** What stands in the place of a peer where a rule is of a set; no peer is called so. */
const OF_SET = 'set ';

/** Whether a flow rule is a member of a set. */
export function isSetFlow(flow: ActiveFlow): boolean {
  return setOfFlow(flow) !== undefined;
}

/** The set that a flow rule is a member of; undefined where it is of none. */
export function setOfFlow({ provenance }: ActiveFlow): string | undefined {
  return provenance.kind === 'flow' && provenance.peer.startsWith(OF_SET) ? provenance.peer.slice(OF_SET.length) : undefined;
}

export interface SetConversionOptions {
  readonly definition: SetFlows;
  readonly clock: StateClock;
  /** Whether a prefix shares an address with what is never denied. */
  readonly isProtected: (prefix: Prefix) => boolean;
  /** Why what enforces cannot do it; asked where the rules are enforced. */
  readonly unenforceable: (flow: ActiveFlow) => string | undefined;
  readonly changed: (key: string, flow: ActiveFlow | undefined) => void;
  /** The members of the set are to be put again. */
  readonly again: () => void;
}

export interface SetConversionCounts {
  readonly rules: number;
  readonly waiting: number;
  readonly refused: { readonly [R in SetFlowRefusal]?: number };
}

/** The members of one set as flow rules, one each. */
export class SetConversion {
  readonly #options: SetConversionOptions;
  readonly #admission: Admission<ActiveFlow>;
  /** By the text of the prefix. */
  readonly #refused = new Refusals<SetFlowRefusal>();

  constructor(options: SetConversionOptions) {
    const { definition, clock, changed, again } = options;
    this.#options = options;
    this.#admission = new Admission({
      clock,
      limits: { most: definition.maxRules, churn: definition.churn },
      changed: (flow, before) => {
        const key = (flow ?? before)?.rule.key;
        if (key !== undefined) changed(key, flow);
      },
      again,
    });
  }

  get definition(): SetFlows {
    return this.#options.definition;
  }

  /** A member is there or gone. `free` as for `Admission.put`. */
  member(prefix: Prefix, present: boolean, free = false): void {
    const name = printPrefix(prefix);
    this.#refused.delete(name);
    const made = present ? this.#make(prefix) : undefined;
    if (typeof made === 'object') {
      if (!this.#admission.get(name)) this.#admission.put(name, made, free);
      return;
    }
    this.#admission.delete(name);
    if (made !== undefined) this.#refused.add(name, made);
  }

  /** All members there are: those that are not among them are gone. */
  all(members: Iterable<Prefix>): void {
    const names = new Set<string>();
    this.#refused.clear();
    for (const prefix of members) {
      names.add(printPrefix(prefix));
      this.member(prefix, true, true);
    }
    this.#admission.keepOnly(names);
  }

  counts(): SetConversionCounts {
    return { rules: this.#admission.size, waiting: this.#admission.waiting, refused: this.#refused.counts() };
  }

  /** The rules, in the order in which they came. */
  list(): readonly ActiveFlow[] {
    return this.#admission.values();
  }

  /** Takes all rules out. */
  close(): void {
    this.#admission.close();
  }

  #make(prefix: Prefix): ActiveFlow | SetFlowRefusal {
    const { definition, isProtected, unenforceable, clock } = this.#options;
    const { minLength, prefixes, enforce, set, actions } = definition;
    if (prefix.length < minLength[prefix.family]) return 'length';
    if (prefixes && !prefixes.some((outer) => covers(outer, prefix))) return 'prefix';
    if (isProtected(prefix)) return 'protected';
    const rule = this.#rule(prefix);
    if (!rule) return 'family';
    const provenance = {
      kind: 'flow',
      peer: `${OF_SET}${set}`,
      flow: printFlow(rule),
      pathId: undefined,
      asPath: [],
      since: clock.now(),
      stale: false,
    } as const;
    const flow: ActiveFlow = { rule, order: flowOrderKey(rule), treatment: flowTreatment(actions, undefined), provenance };
    return enforce && unenforceable(flow) !== undefined ? 'unenforceable' : flow;
  }

  #rule(prefix: Prefix): FlowRule | undefined {
    const { as, match } = this.#options.definition;
    const more = match[prefix.family];
    const member: FlowComponent = { kind: as, prefix, offset: 0 };
    return more && flowRule(prefix.family === 4 ? 'ipv4 flow' : 'ipv6 flow', [member, ...more]);
  }
}
