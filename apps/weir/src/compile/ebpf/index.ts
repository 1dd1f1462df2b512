/** Rules of one hook as an eBPF program. */
export { COUNTERS, type CompiledHook, type CompileEbpfOptions, type CompileResult, compileEbpf, type ListMap } from './compile-rules.ts';
export type { Known } from './expression.ts';
export type { Place } from './layout.ts';
export { verdictsOnly } from './verdicts-only.ts';
