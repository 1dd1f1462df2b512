import { type FlowRule, type FlowTreatment, isPrefixComponent } from '@weir/bgp/flowspec';
import { covers, type Prefix, printPrefix } from '@weir/wire/inet';
import type { BlackholeAnnounce, FlowBlackholes } from '../../model/blackhole.ts';
import type { StateClock } from '../route-state-options.ts';
import { Admission } from './admission.ts';
import { Refusals } from './refusals.ts';

/** Why a flow rule that discards one destination is no blackhole route. */
const FLOW_BLACKHOLE_REFUSALS = ['length', 'prefix', 'protected', 'nobody', 'overflow'] as const;
export type FlowBlackholeRefusal = (typeof FLOW_BLACKHOLE_REFUSALS)[number];

/** A flow rule in force, or of our own. */
export interface ConvertedFlow {
  readonly rule: FlowRule;
  readonly treatment: FlowTreatment;
  /** The peer that it is from; undefined for our own. */
  readonly peer: string | undefined;
}

/** A route that flow rules ask for. */
export interface FlowBlackhole {
  readonly prefix: Prefix;
  readonly peers: readonly string[];
  readonly because: readonly ConvertedFlow[];
}

export interface FlowConversionOptions {
  readonly definition: FlowBlackholes;
  readonly announce: Pick<BlackholeAnnounce, 'prefixes' | 'minLength'>;
  readonly clock: StateClock;
  readonly isProtected: (prefix: Prefix) => boolean;
  readonly changed: (prefix: Prefix, route: FlowBlackhole | undefined) => void;
  /** The flow rules are to be put again. */
  readonly again: () => void;
}

export interface FlowConversionCounts {
  readonly routes: number;
  readonly waiting: number;
  readonly refused: { readonly [R in FlowBlackholeRefusal]?: number };
}

/** Flow rules that discard all packets to one destination, as blackhole routes. None goes back to the peer that it is from. */
export class FlowConversion {
  readonly #options: FlowConversionOptions;
  readonly #admission: Admission<{ readonly flow: ConvertedFlow; readonly prefix: Prefix }>;
  /** By the text of the prefix: rules that say the same in other octets, and those of a peer and of our own. */
  readonly #claims = new Map<string, Map<string, ConvertedFlow>>();
  readonly #refused = new Refusals<FlowBlackholeRefusal>();

  constructor(options: FlowConversionOptions) {
    this.#options = options;
    const { definition, clock, again } = options;
    this.#admission = new Admission({
      clock,
      limits: { most: definition.maxRoutes, churn: definition.churn },
      changed: (now, before) => {
        if (before) this.#claim(before.prefix, before.flow, false, now === undefined);
        if (now) this.#claim(now.prefix, now.flow, true, true);
      },
      again,
    });
  }

  /** A rule is there, is another, or (`present` false) is gone. `free` as for `Admission.put`. */
  flow(flow: ConvertedFlow, present: boolean, free = false): void {
    const key = keyOf(flow);
    this.#refused.delete(key);
    const prefix = present ? this.#concerns(flow) : undefined;
    if (prefix === undefined) {
      this.#admission.delete(key);
      return;
    }
    const refusal = this.#refusal(prefix, flow);
    if (refusal === undefined) {
      const before = this.#admission.get(key);
      if (!before || before.flow.peer !== flow.peer) this.#admission.put(key, { flow, prefix }, free);
      return;
    }
    this.#admission.delete(key);
    this.#refused.add(key, refusal);
  }

  /** All rules there are: those that are not among them are gone. */
  all(flows: Iterable<ConvertedFlow>): void {
    const keys = new Set<string>();
    this.#refused.clear();
    for (const flow of flows) {
      keys.add(keyOf(flow));
      this.flow(flow, true, true);
    }
    this.#admission.keepOnly(keys);
  }

  counts(): FlowConversionCounts {
    return { routes: this.#claims.size, waiting: this.#admission.waiting, refused: this.#refused.counts() };
  }

  list(): readonly FlowBlackhole[] {
    return [...this.#claims.values()].flatMap((claims) => this.#route(claims) ?? []);
  }

  /** Takes all routes out. */
  close(): void {
    this.#admission.close();
  }

  /** The prefix of a rule that discards all packets to it, of somebody whose rules are converted. */
  #concerns({ rule, treatment, peer }: ConvertedFlow): Prefix | undefined {
    const { from, own } = this.#options.definition;
    if (peer === undefined ? !own : !from.includes(peer)) return undefined;
    return discardedDestination(rule, treatment);
  }

  #refusal(prefix: Prefix, { peer }: ConvertedFlow): FlowBlackholeRefusal | undefined {
    const { announce, isProtected, definition } = this.#options;
    if (prefix.length < announce.minLength[prefix.family]) return 'length';
    if (!announce.prefixes.some((outer) => covers(outer, prefix))) return 'prefix';
    if (isProtected(prefix)) return 'protected';
    return definition.peers.some((to) => to !== peer) ? undefined : 'nobody';
  }

  #claim(prefix: Prefix, flow: ConvertedFlow, there: boolean, tell: boolean): void {
    const name = printPrefix(prefix);
    const claims = this.#claims.get(name) ?? new Map<string, ConvertedFlow>();
    if (there) claims.set(keyOf(flow), flow);
    else claims.delete(keyOf(flow));
    if (claims.size > 0) this.#claims.set(name, claims);
    else this.#claims.delete(name);
    if (tell) this.#options.changed(prefix, this.#route(claims));
  }

  #route(claims: ReadonlyMap<string, ConvertedFlow>): FlowBlackhole | undefined {
    const because = [...claims.values()];
    const [first] = because;
    const prefix = first && discardedDestination(first.rule, first.treatment);
    const peers = this.#options.definition.peers.filter((to) => because.some(({ peer }) => peer !== to));
    return prefix && { prefix, peers, because };
  }
}

function keyOf({ rule, peer }: ConvertedFlow): string {
  return `${peer === undefined ? 'own' : 'peer'} ${rule.key}`;
}

/** The destination of a rule that says nothing else of packets and discards them; undefined of another. */
function discardedDestination({ components, family }: FlowRule, treatment: FlowTreatment): Prefix | undefined {
  const [only, ...more] = components;
  if (more.length > 0 || !only || family === 'ipv4 flow-vpn' || family === 'ipv6 flow-vpn') return undefined;
  const discards = treatment.rateBytes === 0 || treatment.ratePackets === 0;
  return discards && !treatment.redirect && isPrefixComponent(only) && only.kind === 'destination' && only.offset === 0
    ? only.prefix
    : undefined;
}
