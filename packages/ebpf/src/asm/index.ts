/** Instructions of eBPF as data: assembled from labels and symbols, and printed. */
export { Assembler, type Label } from './assembler.ts';
export { HELPER_NAMES, type HelperName, helperNumber } from './call-names.ts';
export { type FilterType, HELPER_TYPES } from './call-types.ts';
export { decodeInstruction, decodeInstructions, slotsOf, wordsOf } from './decode.ts';
export { type DisassembleOptions, disassemble } from './disassemble.ts';
export { encodeInstructions } from './encode.ts';
export { AssemblyError, type AssemblyProblem } from './error.ts';
export type { AnyRegister, Instruction } from './instruction.ts';
export { InstructionWriter, MAX_SLOTS } from './instruction-writer.ts';
export type { LongJumps } from './jump-layout.ts';
export { type KernelNeed, kernelNeeds, type NewerInstruction } from './kernel-needs.ts';
export type { AluOperator, AtomicOperator, Comparison, SignedSize, Size } from './opcodes.ts';
export { type Naming, printInstruction } from './print-instruction.ts';
export { printProgram } from './print-program.ts';
export { type AssembledProgram, type Bindings, bindProgram, originAt, type ProgramSymbol, symbolAt } from './program.ts';
export { type HalfRegister, lower, type Register } from './registers.ts';
export { checkCallChain, KEPT_REGISTERS, LOST_REGISTERS, planStack, STACK_OCTETS, type StackPlan, type StackSlot } from './stack-plan.ts';
export { locateRefusal, readVerifierLog, type VerifierLimit, type VerifierReport, type VerifierStatistics } from './verifier-log.ts';
