import { CALL, CLASS, CLASS_MASK, IMMEDIATE, OPCODE } from './opcodes.ts';

/** Where an instruction leads by the offset that it has; undefined for one that leads nowhere but on. */
export function targetByOffset(words: Int32Array, slot: number): number | undefined {
  const low = words[2 * slot] ?? 0;
  const opcode = low & 0xff;
  const what = (low >> 12) & 0x0f;
  const immediate = words[2 * slot + 1] ?? 0;
  if (opcode === OPCODE.LOAD_IMMEDIATE) return what === IMMEDIATE.FUNCTION ? slot + 1 + immediate : undefined;
  if (opcode === OPCODE.CALL) return what === CALL.LOCAL ? slot + 1 + immediate : undefined;
  if (opcode === OPCODE.GOTO_LONG) return slot + 1 + immediate;
  const jumps = (opcode & CLASS_MASK) === CLASS.JMP || (opcode & CLASS_MASK) === CLASS.JMP32;
  return jumps && opcode !== OPCODE.EXIT ? slot + 1 + (low >> 16) : undefined;
}
