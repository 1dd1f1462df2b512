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

/** What each method of one answer gives; `MethodParams` is what it takes. */
export interface MethodAnswers {
  readonly status: StatusAnswer;
  readonly peers: PeersAnswer;
  readonly routes: RoutesAnswer;
  readonly sets: SetsAnswer;
  readonly members: MembersAnswer;
  readonly refused: RefusedAnswer;
  readonly flows: FlowsAnswer;
  readonly 'flow-plan': FlowPlanAnswer;
  readonly 'flow-add': FlowAddAnswer;
  readonly 'flow-delete': FlowDeleteAnswer;
  readonly networks: NetworksAnswer;
  readonly 'network-client': NetworkClientAnswer;
  readonly feeds: FeedsAnswer;
  readonly 'feed-refresh': FeedAnswer;
  readonly 'feed-accept': FeedAnswer;
  readonly 'network-add': NetworkChangeAnswer;
  readonly 'network-replace': NetworkChangeAnswer;
  readonly 'network-delete': NetworkChangeAnswer;
  readonly 'network-dump': NetworkDumpAnswer;
  readonly 'network-history': NetworkHistoryAnswer;
  readonly 'network-load': NetworkLoadAnswer;
  readonly 'network-load-page': NetworkLoadAnswer;
  readonly 'network-load-commit': NetworkChangeAnswer;
  readonly blackholes: BlackholesAnswer;
  readonly 'blackhole-add': BlackholeAddAnswer;
  readonly 'blackhole-delete': BlackholeDeleteAnswer;
  readonly lookup: LookupAnswer;
  readonly events: EventsAnswer;
  readonly reload: ReloadAnswer;
  readonly apply: ApplyAnswer;
  readonly confirm: ConfirmAnswer;
  readonly rollback: RollbackAnswer;
  readonly history: HistoryAnswer;
  readonly generation: GenerationAnswer;
}

export type Answer<M extends keyof MethodAnswers> = MethodAnswers[M];
