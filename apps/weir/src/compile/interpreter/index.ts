/** The interpreter of whole rule lists: what every other back end has to agree with. */
export { defaultRef, type Effect, type Judgement, type JudgeOptions, judge, type Limiter, type Verdict } from './judge.ts';
export { UnjudgeableError } from './unjudgeable.ts';
