/** Configurations that were in force, and which one is. */
export { GenerationStore, HistoryError } from './generation-store.ts';
export type { Cause, GenerationIndex, GenerationRecord, Pending } from './record.ts';
