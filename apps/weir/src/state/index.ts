/** Desired state: routes and ledger members become set members, counted, guarded, held and converged. No I/O. */

export {
  type ConvergenceEvent,
  type ConvergenceStep,
  type ConvergenceTimes,
  convergenceDeadline,
  type FamilyPhase,
  initialConvergence,
  type PeerConvergence,
  stepConvergence,
} from './convergence.ts';
export {
  type ConvertedFlow,
  type FlowBlackhole,
  FlowConversion,
  type FlowConversionCounts,
  isSetFlow,
  SetConversion,
  type SetConversionCounts,
  setOfFlow,
} from './conversions/index.ts';
export type { FlowRefusal, FlowRefusalReason } from './flows/flow-guard.ts';
export { FlowState, type FlowStateOptions } from './flows/flow-state.ts';
export { type FlowPeerCounts, type FlowView, isFlowFamily } from './flows/flow-view.ts';
export { ContributionGuard, type GuardedRule } from './networks/contribution-guard.ts';
export {
  Aggregate,
  type AggregateOptions,
  decodePayload,
  encodeRecord,
  encodeState,
  equalSource,
  eventOf,
  type HistoryFilter,
  type NetworkEntry,
  NetworkHistory,
  type NetworkPayload,
  NetworkTables,
  type NetworkTablesOptions,
  PrefixSet,
} from './networks/index.ts';
export { NEVER_MEMBERS } from './never-members.ts';
export { type RefreshRequest, samePeer } from './reconfigure.ts';
export type { Refusal, RefusalReason } from './refusals.ts';
export type { RibLimits } from './rib-limits.ts';
export { RouteState } from './route-state.ts';
export type { ConfigureResult, RouteStateOptions, StateClock } from './route-state-options.ts';
export type {
  Hold,
  Member,
  Page,
  PeerCounts,
  RefusedView,
  RouteEntry,
  RouteFilter,
  SetCounts,
  StateCounts,
} from './route-view.ts';
export type { SessionDown } from './session-loss.ts';
export { TokenBucket } from './token-bucket.ts';
