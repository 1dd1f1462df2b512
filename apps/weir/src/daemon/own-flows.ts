import {
  decodeFlowRule,
  type FlowAction,
  type FlowRule,
  flowComponent,
  flowTreatment,
  parseFlow,
  parseFlowAction,
  printFlow,
  printFlowAction,
  printFlowProblem,
} from '@weir/bgp/flowspec';
import { parseHex, printHex } from '@weir/wire/bytes';
import { covers, printPrefix } from '@weir/wire/inet';
import * as z from 'zod/mini';
import { ApiError, type Caller, type OwnFlowSummary, type Params } from '../api/index.ts';
import type { FlowConfig } from '../model/flow.ts';
import type { FlowAnnouncer } from '../sources/bgp/index.ts';
import { type Kept, OwnStore, readKept, summarizeKept } from './own-store.ts';

const shape = z.object({
  family: z.enum(['ipv4 flow', 'ipv6 flow']),
  octets: z.string(),
  actions: z.array(z.string()),
});

interface Own extends Kept {
  readonly rule: FlowRule;
  readonly actions: readonly FlowAction[];
}

export interface OwnFlowsOptions {
  readonly announcer: FlowAnnouncer;
  readonly stateDirectory: string;
  readonly config: () => FlowConfig | undefined;
  /** There are others. */
  readonly onChange?: () => void;
  readonly onError: (error: Error) => void;
}

/** Flow rules of our own, made by hand. */
export class OwnFlows {
  readonly #options: OwnFlowsOptions;
  readonly #store: OwnStore<Own>;

  /** Reads those of before. */
  constructor(options: OwnFlowsOptions) {
    this.#options = options;
    const { stateDirectory, announcer, onError, onChange } = options;
    this.#store = new OwnStore({
      stateDirectory,
      file: 'own-flows.json',
      list: 'flows',
      what: 'flow rules',
      keyOf: ({ rule }) => rule.key,
      encode: ({ rule: { family, octets }, actions, ...rest }) => ({
        family,
        octets: printHex(octets),
        actions: actions.map(printFlowAction),
        ...rest,
      }),
      decode: readOwn,
      changed: (key, own) => {
        if (own) this.#announce(own);
        else announcer.withdraw(key);
        onChange?.();
      },
      onError,
    });
    this.configured();
  }

  /** Announces what the configuration allows now, and nothing else. */
  configured(): void {
    for (const own of this.#store.values()) this.#announce(own);
    this.#store.expire();
  }

  /** @throws ApiError when it is refused: then nothing has changed */
  add(params: Params<'flow-add'>, by: Caller): OwnFlowSummary {
    const { announce } = this.#options.config() ?? {};
    if (!announce) throw new ApiError('refused', 'flowspec.announce is not configured: it names the peers that may be told');
    const rule = readFlow(params.flow);
    const destination = flowComponent(rule, 'destination')?.prefix;
    if (announce.destinations && !announce.destinations.some((prefix) => destination && covers(prefix, destination)))
      throw new ApiError(
        'refused',
        `the destination ${destination ? printPrefix(destination) : '(none)'} is not in flowspec.announce.destinations`,
      );
    const unknown = params.peers?.find((peer) => !announce.peers.includes(peer));
    if (unknown !== undefined) throw new ApiError('refused', `flowspec.announce.peers does not name ${unknown}`);
    if (!this.#store.has(rule.key) && this.#store.size >= announce.maxRules)
      throw new ApiError('refused', `${announce.maxRules} flow rules are announced (flowspec.announce.max_rules): delete one first`);
    if (params.until !== undefined && params.until <= Date.now()) throw new ApiError('refused', 'its time is over already');
    const { peers, until, comment } = params;
    const own: Own = { rule, actions: params.actions.map(readAction), peers, since: Date.now(), until, comment, by };
    this.#store.put(own);
    return this.#summarize(own);
  }

  /** @throws ApiError when there is no such rule */
  delete({ flow }: Params<'flow-delete'>): string {
    const rule = readFlow(flow);
    if (!this.#store.has(rule.key)) throw new ApiError('not-found', `no flow rule of our own is ${printFlow(rule)}`);
    this.#store.remove([rule.key]);
    return printFlow(rule);
  }

  list(): readonly OwnFlowSummary[] {
    return this.#store.values().map((own) => this.#summarize(own));
  }

  /** What each of them asks for. */
  treatments(): ReadonlyMap<FlowRule, ReturnType<typeof flowTreatment>> {
    return new Map(this.#store.values().map(({ rule, actions }) => [rule, flowTreatment(actions, undefined)]));
  }

  close(): void {
    this.#store.close();
  }

  #peersOf({ peers }: Own): readonly string[] {
    const allowed = this.#options.config()?.announce?.peers ?? [];
    return peers ? peers.filter((peer) => allowed.includes(peer)) : allowed;
  }

  #announce(own: Own): void {
    const { announcer } = this.#options;
    announcer.announce({ rule: own.rule, actions: own.actions, peers: this.#peersOf(own) });
  }

  #summarize(own: Own): OwnFlowSummary {
    const { rule, actions } = own;
    return {
      flow: printFlow(rule),
      actions: actions.map(printFlowAction),
      peers: this.#peersOf(own),
      told: this.#options.announcer.toldTo(rule.key),
      ...summarizeKept(own),
    };
  }
}

function readOwn(value: unknown): Own {
  const { family, octets, actions } = shape.parse(value);
  return { ...readKept(value), rule: decodeFlowRule(family, parseHex(octets)), actions: actions.map(readAction) };
}

function readFlow(text: string): FlowRule {
  const parsed = parseFlow(text);
  if (!parsed.ok) throw new ApiError('bad-request', `not a flow rule: ${parsed.problem.message}`, [printFlowProblem(text, parsed.problem)]);
  if (parsed.rule.family === 'ipv4 flow-vpn' || parsed.rule.family === 'ipv6 flow-vpn')
    throw new ApiError('refused', 'rules of a VPN are not announced');
  return parsed.rule;
}

function readAction(text: string): FlowAction {
  const action = parseFlowAction(text);
  if (!action) throw new ApiError('bad-request', `not an action of a flow rule: ${text}`);
  return action;
}
