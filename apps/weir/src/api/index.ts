/** The control socket: its schema, server and client. */
export type {
  ApplyAnswer,
  ConfirmAnswer,
  CumulusSummary,
  EbpfSummary,
  EventSummary,
  EventsAnswer,
  ExabgpSummary,
  GenerationAnswer,
  GenerationSummary,
  HistoryAnswer,
  LatencySummary,
  LongLivedSummary,
  LookupAnswer,
  MemberSummary,
  MembersAnswer,
  PeerSummary,
  PeersAnswer,
  RefusedAnswer,
  ReloadAnswer,
  RollbackAnswer,
  RouteSummary,
  RoutesAnswer,
  SetSummary,
  SetsAnswer,
  SetTargetSummary,
  StatusAnswer,
  TenantSummary,
  Versioned,
  WhySummary,
} from './answers.ts';
export { ApiError, type Backend, type Caller, type Feed, type Observation, type VerdictWatch, type Watch } from './backend.ts';
export type {
  BlackholeAddAnswer,
  BlackholeDeleteAnswer,
  BlackholesAnswer,
  ConvertedSummary,
  FlowConversionSummary,
  OwnBlackholeSummary,
  PrefixSummary,
  SetConversionSummary,
} from './blackhole-answers.ts';
export { askDaemon, ConnectionError, ControlClient } from './client.ts';
export { summarizeEvent } from './event-summary.ts';
export type { FeedAnswer, FeedSummary, FeedsAnswer } from './feed-answers.ts';
export { FeedClient, type FeedClientOptions } from './feed-client.ts';
export type {
  FlowAddAnswer,
  FlowChange,
  FlowDeleteAnswer,
  FlowPlanAnswer,
  FlowStanding,
  FlowStatus,
  FlowSummary,
  FlowsAnswer,
  OwnFlowSummary,
} from './flow-answers.ts';
export { LineSplitter } from './line-splitter.ts';
export type {
  ClientSummary,
  NetworkChangeAnswer,
  NetworkClientAnswer,
  NetworkDumpAnswer,
  NetworkHistoryAnswer,
  NetworkHistoryEntry,
  NetworkLoadAnswer,
  NetworkNoteSummary,
  NetworkSummary,
  NetworksAnswer,
} from './network-answers.ts';
export { parseResponse } from './response.ts';
export {
  type ApiErrorBody,
  type ApiErrorCode,
  FORMAT_VERSION,
  type Method,
  type Params,
  type ParsedRequest,
  parseRequest,
  type Request,
  type Response,
} from './schema.ts';
export { ControlServer, type ControlServerOptions } from './server.ts';
export type { EventCounts, VerdictSummary, VerdictsAnswer } from './verdict-answers.ts';
