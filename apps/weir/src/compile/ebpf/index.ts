/** Rules of one hook as an eBPF program. */
export { type CompileEbpfOptions, type CompileResult, compileEbpf } from './compile-rules.ts';
export { COUNTERS } from './counters.ts';
export type { Known } from './expression.ts';
export { EVENT_COUNT, EVENT_COUNTS, EVENTS, GENERATION, givesEvents } from './event-maps.ts';
export { verdictsOnly } from './verdicts-only.ts';
