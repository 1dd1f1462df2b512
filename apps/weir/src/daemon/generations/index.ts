/** Configurations that were in force, and which one is. */
export { GenerationStore, HistoryError, MAX_GENERATIONS } from './generation-store.ts';
export type { Cause, GenerationIndex, GenerationRecord, Pending } from './record.ts';
