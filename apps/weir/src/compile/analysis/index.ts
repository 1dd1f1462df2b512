/** What rules do to each other: findings with packets that prove them, and the difference between two programs. */
export { type Aggregate, aggregate, type CidrList } from './aggregate.ts';
export { type Analysis, type AnalyzeOptions, analyze } from './analyze.ts';
export { type Change, type Difference, difference } from './difference.ts';
export { FINDING_CODES, type Finding, type FindingKind, type NotAnalysed, type RuleMark } from './finding.ts';
export type { Witness } from './witness.ts';
