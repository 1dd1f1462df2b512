/**
 * What is wrong with a program that was being assembled:
 * - `immediate-range`: a constant does not fit into 32 bits as this instruction reads it
 * - `offset-range`: a memory offset does not fit into 16 bits
 * - `jump-range`: a jump is too far, and the ways around that were not allowed or do not reach either; or it leaves its function
 * - `label-unplaced`, `label-twice`, `label-at-end`: a label was used and never placed, placed more than once, or has no instruction after it
 * - `falls-through`: a function, or the program, can run past its last instruction
 * - `unbound`: a symbol that the loader gave no value
 * - `stack-size`: more stack than the kernel gives
 * - `program-size`: more instructions than the kernel takes
 * - `operand`: operands that no instruction has, such as an unknown function or a write to r10
 */
export type AssemblyProblem =
  | 'immediate-range'
  | 'offset-range'
  | 'jump-range'
  | 'label-unplaced'
  | 'label-twice'
  | 'label-at-end'
  | 'falls-through'
  | 'unbound'
  | 'stack-size'
  | 'program-size'
  | 'operand';

/** A program that cannot be encoded. `slot` is where, in units of eight octets from the program's start, when that is known. */
export class AssemblyError extends Error {
  readonly code: AssemblyProblem;
  readonly slot: number | undefined;

  constructor(code: AssemblyProblem, message: string, slot?: number) {
    super(slot === undefined ? message : `${message} (instruction ${slot})`);
    this.name = 'AssemblyError';
    this.code = code;
    this.slot = slot;
  }
}
