/** Named sets in programs. */
export { constantNeeds } from './constant-list.ts';
export { emitSetLookup } from './emit-lookup.ts';
export { listNeed } from './list-need.ts';
