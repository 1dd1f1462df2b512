/** The interpreter: what an expression means. */
export type { Lists, Subject, Value } from './value.ts';
