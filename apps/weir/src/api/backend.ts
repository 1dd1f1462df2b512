import type { Event } from '../model/event.ts';
import type {
  ApplyAnswer,
  ConfirmAnswer,
  EventsAnswer,
  GenerationAnswer,
  HistoryAnswer,
  LookupAnswer,
  MembersAnswer,
  PeersAnswer,
  RefusedAnswer,
  ReloadAnswer,
  RollbackAnswer,
  RoutesAnswer,
  SetsAnswer,
  StatusAnswer,
} from './answers.ts';
import type { BlackholeAddAnswer, BlackholeDeleteAnswer, BlackholesAnswer } from './blackhole-answers.ts';
import type { FeedAnswer, FeedsAnswer } from './feed-answers.ts';
import type { FlowAddAnswer, FlowDeleteAnswer, FlowPlanAnswer, FlowsAnswer } from './flow-answers.ts';
import type {
  NetworkChangeAnswer,
  NetworkClientAnswer,
  NetworkDumpAnswer,
  NetworkHistoryAnswer,
  NetworkLoadAnswer,
  NetworksAnswer,
} from './network-answers.ts';
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
  status(): Promise<StatusAnswer>;
  peers(): Promise<PeersAnswer>;
  routes(params: Params<'routes'>): Promise<RoutesAnswer>;
  sets(): Promise<SetsAnswer>;
  members(params: Params<'members'>): Promise<MembersAnswer>;
  refused(params: Params<'refused'>): Promise<RefusedAnswer>;
  flows(params: Params<'flows'>): Promise<FlowsAnswer>;
  flowPlan(params: Params<'flow-plan'>): Promise<FlowPlanAnswer>;
  flowAdd(params: Params<'flow-add'>, caller: Caller): Promise<FlowAddAnswer>;
  flowDelete(params: Params<'flow-delete'>): Promise<FlowDeleteAnswer>;
  blackholes(): Promise<BlackholesAnswer>;
  blackholeAdd(params: Params<'blackhole-add'>, caller: Caller): Promise<BlackholeAddAnswer>;
  blackholeDelete(params: Params<'blackhole-delete'>): Promise<BlackholeDeleteAnswer>;
  networks(params: Params<'networks'>): Promise<NetworksAnswer>;
  networkClient(params: Params<'network-client'>): Promise<NetworkClientAnswer>;
  networkAdd(params: Params<'network-add'>, caller: Caller): Promise<NetworkChangeAnswer>;
  networkReplace(params: Params<'network-replace'>, caller: Caller): Promise<NetworkChangeAnswer>;
  networkDelete(params: Params<'network-delete'>, caller: Caller): Promise<NetworkChangeAnswer>;
  networkDump(params: Params<'network-dump'>): Promise<NetworkDumpAnswer>;
  networkHistory(params: Params<'network-history'>): Promise<NetworkHistoryAnswer>;
  networkLoad(params: Params<'network-load'>): Promise<NetworkLoadAnswer>;
  networkLoadPage(params: Params<'network-load-page'>): Promise<NetworkLoadAnswer>;
  networkLoadCommit(params: Params<'network-load-commit'>, caller: Caller): Promise<NetworkChangeAnswer>;
  feeds(): Promise<FeedsAnswer>;
  feedRefresh(params: Params<'feed-refresh'>, caller: Caller): Promise<FeedAnswer>;
  feedAccept(params: Params<'feed-accept'>, caller: Caller): Promise<FeedAnswer>;
  lookup(params: Params<'lookup'>): Promise<LookupAnswer>;
  events(params: Params<'events'>): Promise<EventsAnswer>;
  reload(caller: Caller): Promise<ReloadAnswer>;
  apply(params: Params<'apply'>, caller: Caller): Promise<ApplyAnswer>;
  confirm(caller: Caller): Promise<ConfirmAnswer>;
  rollback(params: Params<'rollback'>, caller: Caller): Promise<RollbackAnswer>;
  history(): Promise<HistoryAnswer>;
  generation(params: Params<'generation'>): Promise<GenerationAnswer>;
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
