/** Rules in the order of judgement to a table of nf_tables. */

export { addFlowHooks, type CompiledRules, type CompileOptions, checkRules, compileRules, isOfFlows, LOG_GROUP } from './compile-rules.ts';
export { logPrefixes } from './effect.ts';
export { CompileMemo } from './memo.ts';
export type { NftProblem } from './problem.ts';
export type { ProgramUse } from './programs.ts';
