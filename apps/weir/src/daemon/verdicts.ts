import { hostname } from 'node:os';
import { bootNanoseconds } from '@weir/sys';
import { bitsOf, type Ip, makePrefix, type Prefix, parseIp, parsePrefix } from '@weir/wire/inet';
import { ApiError, type EventCounts, type Observation, type Params, type VerdictSummary } from '../api/index.ts';
import { ruleLabel } from '../compile/describe/index.ts';
import { judgement, netfilterHooks } from '../compile/judgement/index.ts';
import { LOG_GROUP, logPrefixes } from '../compile/nft/policy/index.ts';
import type { Config } from '../model/config.ts';
import type { EbpfEvents, KernelEvent } from '../model/kernel-port.ts';
import { scopes } from '../model/scopes.ts';
import type { Level } from '../observe/index.ts';
import {
  type LoggedScope,
  type LogScope,
  type NamedVerdict,
  type RuleName,
  type VerdictFilter,
  VerdictReader,
  VerdictStream,
} from '../observe/verdicts/index.ts';
import type { RouteState } from '../state/index.ts';
import { summarizeVerdict } from './summarize-verdict.ts';

export interface VerdictsOptions {
  readonly log: (level: Level, message: string) => void;
  /** The AS that announces an address, as far as routes say. */
  readonly sourceAs: (ip: Ip) => number | undefined;
}

/** What is shown of the past unless told. */
const LAST = 20;

/** Verdict events in the daemon: starts the reader once a rule gives events, tells it what to read, and answers `observe`. */
export class Verdicts {
  readonly #options: VerdictsOptions;
  readonly #stream = new VerdictStream();
  readonly #problems = new Map<string, string>();
  /** Numbers of scopes, which stay those of their tenants. */
  readonly #scopes = new Map<string | undefined, number>([[undefined, 0]]);
  readonly #node = hostname();
  #reader: Promise<VerdictReader | undefined> | undefined;
  #running: VerdictReader | undefined;
  #logScopes: readonly LogScope[] = [];
  #ring: Extract<KernelEvent, { kind: 'programs' }>['ring'];
  #closed = false;

  constructor(options: VerdictsOptions) {
    this.#options = options;
  }

  /** Takes a (new) configuration: which namespaces log, and with what. */
  configure(config: Config, now: number): void {
    const logged: LoggedScope[] = [];
    const wanted: LogScope[] = [];
    for (const { tenant, config: one } of scopes(config)) {
      const scope = this.#scopes.get(tenant) ?? this.#scopes.size;
      this.#scopes.set(tenant, scope);
      const rules = loggedRules(one, now);
      logged.push({ scope, tenant, rules });
      const { nflog = true, logGroup = LOG_GROUP } = config.observe ?? {};
      if (rules.size > 0 && nflog) wanted.push({ scope, netns: one.netns, group: logGroup });
    }
    this.#stream.names.setLogged(logged);
    if (JSON.stringify(wanted) === JSON.stringify(this.#logScopes)) return;
    this.#logScopes = wanted;
    this.#tell((reader) => reader.setScopes(this.#logScopes));
  }

  /** The namespace of a tenant is there again, and is another one: what listened in the one before hears nothing any more. */
  reopen(tenant: string): void {
    const scope = this.#scopes.get(tenant);
    const others = this.#logScopes.filter((one) => one.scope !== scope);
    if (others.length === this.#logScopes.length) return;
    this.#tell((reader) => {
      reader.setScopes(others);
      reader.setScopes(this.#logScopes);
    });
  }

  /** Other programs are in force. */
  takePrograms({ programs, ring }: Extract<KernelEvent, { kind: 'programs' }>): void {
    for (const program of programs) this.#stream.names.addProgram(program);
    this.#ring = ring;
    this.#tell((reader) => reader.setRing(ring && { kind: 'pinned', ...ring }));
  }

  /** Undefined where nothing gives events. */
  counts(programs: EbpfEvents | undefined): EventCounts | undefined {
    if (!this.#reader && !programs) return undefined;
    const { verdicts, subscriberLost } = this.#stream.counts();
    const reader = this.#running?.counts();
    return {
      verdicts: Object.fromEntries(Object.entries(verdicts).filter(([, count]) => count > 0)),
      from: { ebpf: reader?.ring ?? 0, nflog: reader?.log ?? 0 },
      foreign: reader?.notOurs ?? 0,
      sampled_out: programs?.sampledOut ?? 0,
      lost: { ring: programs?.lost ?? 0, nflog: reader?.logLost ?? 0, queue: reader?.queueLost ?? 0, subscribers: subscriberLost },
      problems: [...this.#problems].map(([subject, message]) => ({ subject, message })),
    };
  }

  /** What was, and what comes. ApiError. */
  observe(params: Params<'observe'>): Observation {
    const filter = filterOf(params);
    if (params.tenant !== undefined && !this.#scopes.has(params.tenant))
      throw new ApiError('not-found', `there is no tenant ${params.tenant}`);
    const subscription = params.follow ? this.#stream.subscribe(filter) : undefined;
    if (params.follow && !subscription) throw new ApiError('busy', 'too many observers');
    const last = this.#stream.last(params.last ?? (params.follow ? 0 : LAST), filter);
    const summarize = (): ((verdict: NamedVerdict) => VerdictSummary) => {
      const clocks = { wall: Date.now(), boot: bootNanoseconds() };
      return (verdict) => summarizeVerdict(verdict, { node: this.#node, clocks, sourceAs: this.#options.sourceAs });
    };
    return {
      last: last.map(summarize()),
      follow: subscription && {
        next: async () => {
          const part = await subscription.next();
          return part && { verdicts: part.events.map(summarize()), lost: part.lost };
        },
        close: () => subscription.close(),
      },
    };
  }

  /** Ends the reader and every observer. Calling it again does nothing. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stream.close();
    const reader = await this.#reader;
    await reader?.close();
  }

  /** Starts the reader for the first that is to be read. */
  #tell(say: (reader: VerdictReader) => void): void {
    if (this.#closed || (!this.#reader && this.#logScopes.length === 0 && !this.#ring)) return;
    if (this.#running) {
      say(this.#running);
      return;
    }
    this.#reader ??= this.#start();
  }

  async #start(): Promise<VerdictReader | undefined> {
    const { log } = this.#options;
    const failed = (error: unknown): void => {
      const message = error instanceof Error ? error.message : String(error);
      this.#problems.set('reader', message);
      log('error', `verdict events are not read: ${message}`);
    };
    try {
      const reader = await VerdictReader.start({
        onBatch: this.#stream.take,
        onProblem: (subject, message) => {
          if (message === undefined) this.#problems.delete(subject);
          else this.#problems.set(subject, message);
          if (message !== undefined) log('warn', `verdict events of ${subject} are not read: ${message}`);
        },
        onFailure: failed,
      });
      this.#running = reader;
      // What has been said while it started.
      reader.setScopes(this.#logScopes);
      if (this.#ring) reader.setRing({ kind: 'pinned', ...this.#ring });
      return reader;
    } catch (error) {
      failed(error);
      return undefined;
    }
  }
}

/** The rules of a scope that log, by their prefixes. */
function loggedRules(config: Config, now: number): ReadonlyMap<string, RuleName> {
  const out = new Map<string, RuleName>();
  if (!config.policy && !config.firewall) return out;
  for (const hook of netfilterHooks(judgement(config, now)))
    for (const rule of hook.rules)
      for (const text of logPrefixes(hook, rule)) if (!out.has(text)) out.set(text, { ref: rule.ref, label: ruleLabel(rule) });
  return out;
}

function filterOf({ verdicts, hook, protocol, port, address, rule, tenant }: Params<'observe'>): VerdictFilter {
  return { verdicts, hook, protocol, port, rule, tenant, ...(address === undefined ? {} : { prefix: askedPrefix(address) }) };
}

function askedPrefix(text: string): Prefix {
  const ip = parseIp(text);
  if (ip) return makePrefix(ip, bitsOf(ip.family));
  const result = parsePrefix(text);
  if (result.ok) return result.prefix;
  throw new ApiError('bad-request', `address: ${result.error.message}`);
}

/** The AS at the end of the path of a route that gives an address to a set. */
export function originOf(state: RouteState, ip: Ip): number | undefined {
  for (const { set } of state.counts().sets)
    for (const why of state.memberOf(set, ip)?.provenance ?? []) {
      const origin = why.kind === 'route' ? why.asPath.at(-1) : undefined;
      if (origin !== undefined) return origin;
    }
  return undefined;
}
