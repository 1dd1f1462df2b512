/** The interpreter: what an expression means. */
export { evaluate, NO_LISTS } from './evaluate.ts';
export type { Lists, Subject, Value } from './value.ts';
