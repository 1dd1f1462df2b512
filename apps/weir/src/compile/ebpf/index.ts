/** Rules of one hook as an eBPF program. */
export { ClassifierMemo, type ClassifierOptions, prepareClassifier, prepareRules } from './classifier/index.ts';
export { type CompiledMatch, compileMatch, MOST_RANGES, selfContained } from './compile-match.ts';
export { type CompileEbpfOptions, type CompileResult, compileEbpf } from './compile-rules.ts';
export { COUNTERS } from './counters.ts';
export { EVENT_COUNT, EVENT_COUNTS, EVENTS, GENERATION, givesEvents } from './event-maps.ts';
export type { Known } from './expression.ts';
export { LIMIT_ROOM, LIMIT_SHARED, limitKeys, readPressure } from './limits.ts';
export { ASSUMED_EBPF, type Variant, variantsOf } from './variants.ts';
export { verdictsOnly } from './verdicts-only.ts';
