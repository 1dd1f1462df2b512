import { join } from 'node:path';
import {
  decodeFlowRule,
  type FlowAction,
  type FlowRule,
  flowComponent,
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
import { readIfThere, writeWhole } from '../files/index.ts';
import type { FlowConfig } from '../model/flow.ts';
import type { FlowAnnouncer } from '../sources/bgp/index.ts';
import { iso } from './summaries.ts';

const VERSION = 1;
const LONGEST_TIMER = 0x7fff_ffff;

const file = z.object({
  version: z.literal(VERSION),
  flows: z.array(
    z.object({
      family: z.enum(['ipv4 flow', 'ipv6 flow']),
      octets: z.string(),
      actions: z.array(z.string()),
      peers: z.optional(z.array(z.string())),
      since: z.number(),
      until: z.optional(z.number()),
      comment: z.optional(z.string()),
      by: z.string(),
    }),
  ),
});

interface Own {
  readonly rule: FlowRule;
  readonly actions: readonly FlowAction[];
  /** Undefined: all that may be told. */
  readonly peers: readonly string[] | undefined;
  readonly since: number;
  readonly until: number | undefined;
  readonly comment: string | undefined;
  readonly by: string;
}

export interface OwnFlowsOptions {
  readonly announcer: FlowAnnouncer;
  readonly stateDirectory: string;
  readonly config: () => FlowConfig | undefined;
  readonly onError: (error: Error) => void;
}

/** Flow rules of our own: announced while they are there, on disk before they are, gone when their time is over. */
export class OwnFlows {
  readonly #options: OwnFlowsOptions;
  readonly #flows = new Map<string, Own>();
  #timer: NodeJS.Timeout | undefined;

  /** Reads those of before. */
  constructor(options: OwnFlowsOptions) {
    this.#options = options;
    try {
      for (const own of this.#read()) this.#flows.set(own.rule.key, own);
    } catch (error) {
      const { message } = error instanceof Error ? error : new Error(String(error));
      options.onError(new Error(`${this.#path}: ${message}: no flow rules of our own are announced`));
    }
    this.configured();
  }

  /** Announces what the configuration allows now, and nothing else. */
  configured(): void {
    for (const own of this.#flows.values()) this.#announce(own);
    this.#expire();
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
    if (!this.#flows.has(rule.key) && this.#flows.size >= announce.maxRules)
      throw new ApiError('refused', `${announce.maxRules} flow rules are announced (flowspec.announce.max_rules): delete one first`);
    if (params.until !== undefined && params.until <= Date.now()) throw new ApiError('refused', 'its time is over already');
    const own: Own = {
      rule,
      actions: params.actions.map(readAction),
      peers: params.peers,
      since: Date.now(),
      until: params.until,
      comment: params.comment,
      by,
    };
    this.#write([...[...this.#flows.values()].filter((other) => other.rule.key !== rule.key), own]);
    this.#flows.set(rule.key, own);
    this.#announce(own);
    this.#expire();
    return this.#summarize(own);
  }

  /** @throws ApiError when there is no such rule */
  delete({ flow }: Params<'flow-delete'>): string {
    const rule = readFlow(flow);
    if (!this.#flows.has(rule.key)) throw new ApiError('not-found', `no flow rule of our own is ${printFlow(rule)}`);
    this.#remove([rule.key]);
    return printFlow(rule);
  }

  list(): readonly OwnFlowSummary[] {
    return [...this.#flows.values()].map((own) => this.#summarize(own));
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  get #path(): string {
    return join(this.#options.stateDirectory, 'own-flows.json');
  }

  #peersOf({ peers }: Own): readonly string[] {
    const allowed = this.#options.config()?.announce?.peers ?? [];
    return peers ? peers.filter((peer) => allowed.includes(peer)) : allowed;
  }

  #announce(own: Own): void {
    const { announcer } = this.#options;
    announcer.announce({ rule: own.rule, actions: own.actions, peers: this.#peersOf(own) });
  }

  #remove(keys: readonly string[]): void {
    this.#write([...this.#flows.values()].filter(({ rule }) => !keys.includes(rule.key)));
    for (const key of keys) {
      this.#flows.delete(key);
      this.#options.announcer.withdraw(key);
    }
  }

  /** Takes out those whose time is over, and waits for the next. */
  #expire(): void {
    clearTimeout(this.#timer);
    const now = Date.now();
    const over = [...this.#flows.values()].filter(({ until }) => until !== undefined && until <= now).map(({ rule }) => rule.key);
    try {
      if (over.length > 0) this.#remove(over);
    } catch (error) {
      this.#options.onError(error instanceof Error ? error : new Error(String(error)));
    }
    const next = Math.min(...[...this.#flows.values()].map(({ until }) => until ?? Number.POSITIVE_INFINITY));
    if (!Number.isFinite(next)) return;
    // At once where it could not be written: not in a loop.
    this.#timer = setTimeout(() => this.#expire(), Math.min(LONGEST_TIMER, Math.max(1000, next - now)));
    this.#timer.unref();
  }

  #summarize(own: Own): OwnFlowSummary {
    const { rule, actions, since, until, comment, by } = own;
    return {
      flow: printFlow(rule),
      actions: actions.map(printFlowAction),
      peers: this.#peersOf(own),
      told: this.#options.announcer.toldTo(rule.key),
      since: iso(since),
      ...(until === undefined ? {} : { until: iso(until) }),
      ...(comment === undefined ? {} : { comment }),
      by,
    };
  }

  #read(): Own[] {
    const text = readIfThere(this.#path);
    if (text === undefined) return [];
    return file.parse(JSON.parse(text.toString())).flows.map(({ family, octets, actions, peers, since, until, comment, by }) => ({
      rule: decodeFlowRule(family, parseHex(octets)),
      actions: actions.map(readAction),
      peers,
      since,
      until,
      comment,
      by,
    }));
  }

  #write(flows: readonly Own[]): void {
    const kept = flows.map(({ rule: { family, octets }, actions, ...rest }) => ({
      family,
      octets: printHex(octets),
      actions: actions.map(printFlowAction),
      ...rest,
    }));
    writeWhole(this.#path, JSON.stringify({ version: VERSION, flows: kept }), { mode: 0o600, survives: 'machine' });
  }
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
