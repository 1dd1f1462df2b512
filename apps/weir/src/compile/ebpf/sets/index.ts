/** Named sets in programs. */
export { emitSetLookup } from './emit-lookup.ts';
export { listNeed } from './list-need.ts';
