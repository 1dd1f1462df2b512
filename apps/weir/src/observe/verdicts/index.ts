/** Verdict events: a thread reads them, a stream names and keeps them, and gives them to whoever watches. */
export type { LogScope, RingPlace, VerdictBatch } from './reader-protocol.ts';
export { type LoggedRules, type LoggedScope, type ProgramRules, type RuleName, RuleNames } from './rule-names.ts';
export type { VerdictFilter } from './verdict-filter.ts';
export { type ReaderCounts, VerdictReader, type VerdictReaderOptions } from './verdict-reader.ts';
export { type NamedVerdict, type StreamCounts, VerdictStream } from './verdict-stream.ts';
export type { VerdictSubscription, VerdictsPart } from './verdict-subscription.ts';
