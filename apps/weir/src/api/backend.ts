import type { Event } from '../model/event.ts';
import type { Answer } from './method-answers.ts';
import type { ApiErrorBody, ApiErrorCode, Params } from './schema.ts';
import type { VerdictSummary } from './verdict-answers.ts';

/** A request that is refused, with a stable code. */
export class ApiError extends Error {
  readonly code: ApiErrorCode;
  readonly details: readonly string[] | undefined;

  constructor(code: ApiErrorCode, message: string, details?: readonly string[]) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.details = details;
  }

  get body(): ApiErrorBody {
    return { code: this.code, message: this.message, ...(this.details === undefined ? {} : { details: this.details }) };
  }
}

/** Who asks, as a text for the history: `uid 0, pid 4711`. */
export type Caller = string;

/** What the daemon answers, whatever carries the question. Methods may throw ApiError. */
export interface Backend {
  status(): Promise<Answer<'status'>>;
  peers(): Promise<Answer<'peers'>>;
  routes(params: Params<'routes'>): Promise<Answer<'routes'>>;
  sets(): Promise<Answer<'sets'>>;
  members(params: Params<'members'>): Promise<Answer<'members'>>;
  refused(params: Params<'refused'>): Promise<Answer<'refused'>>;
  flows(params: Params<'flows'>): Promise<Answer<'flows'>>;
  flowPlan(params: Params<'flow-plan'>): Promise<Answer<'flow-plan'>>;
  flowAdd(params: Params<'flow-add'>, caller: Caller): Promise<Answer<'flow-add'>>;
  flowDelete(params: Params<'flow-delete'>): Promise<Answer<'flow-delete'>>;
  blackholes(): Promise<Answer<'blackholes'>>;
  blackholeAdd(params: Params<'blackhole-add'>, caller: Caller): Promise<Answer<'blackhole-add'>>;
  blackholeDelete(params: Params<'blackhole-delete'>): Promise<Answer<'blackhole-delete'>>;
  networks(params: Params<'networks'>): Promise<Answer<'networks'>>;
  networkClient(params: Params<'network-client'>): Promise<Answer<'network-client'>>;
  networkAdd(params: Params<'network-add'>, caller: Caller): Promise<Answer<'network-add'>>;
  networkReplace(params: Params<'network-replace'>, caller: Caller): Promise<Answer<'network-replace'>>;
  networkDelete(params: Params<'network-delete'>, caller: Caller): Promise<Answer<'network-delete'>>;
  networkDump(params: Params<'network-dump'>): Promise<Answer<'network-dump'>>;
  networkHistory(params: Params<'network-history'>): Promise<Answer<'network-history'>>;
  networkLoad(params: Params<'network-load'>): Promise<Answer<'network-load'>>;
  networkLoadPage(params: Params<'network-load-page'>): Promise<Answer<'network-load-page'>>;
  networkLoadCommit(params: Params<'network-load-commit'>, caller: Caller): Promise<Answer<'network-load-commit'>>;
  feeds(): Promise<Answer<'feeds'>>;
  feedRefresh(params: Params<'feed-refresh'>, caller: Caller): Promise<Answer<'feed-refresh'>>;
  feedAccept(params: Params<'feed-accept'>, caller: Caller): Promise<Answer<'feed-accept'>>;
  lookup(params: Params<'lookup'>): Promise<Answer<'lookup'>>;
  events(params: Params<'events'>): Promise<Answer<'events'>>;
  reload(caller: Caller): Promise<Answer<'reload'>>;
  apply(params: Params<'apply'>, caller: Caller): Promise<Answer<'apply'>>;
  confirm(caller: Caller): Promise<Answer<'confirm'>>;
  rollback(params: Params<'rollback'>, caller: Caller): Promise<Answer<'rollback'>>;
  history(): Promise<Answer<'history'>>;
  generation(params: Params<'generation'>): Promise<Answer<'generation'>>;
  /** Events from now on; undefined when there are too many watchers. */
  watch(params: Params<'watch'>): Watch | undefined;
  observe(params: Params<'observe'>): Promise<Observation>;
  /** Begins to hear a process of ExaBGP's, for a user (as the kernel says) that may hand over. `send` gives it commands; the first of them comes at once. */
  feed(uid: number | undefined, send: (command: string) => void): Promise<Feed>;
}

/** What is handed over, wherever it is cut. */
export interface Feed {
  push(chunk: Uint8Array): void;
  close(why: string): void;
}

/** Verdicts that were, and a stream of those to come where it was asked for. */
export interface Observation {
  readonly last: readonly VerdictSummary[];
  readonly follow: VerdictWatch | undefined;
}

/** A stream of verdicts with a bounded queue. */
export interface VerdictWatch {
  next(): Promise<{ readonly verdicts: readonly VerdictSummary[]; readonly lost: number } | undefined>;
  close(): void;
}

/** A stream of events with a bounded queue. */
export interface Watch {
  next(): Promise<{ readonly events: readonly Event[]; readonly lost: number } | undefined>;
  close(): void;
}
