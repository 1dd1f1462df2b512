import { OPCODE } from './opcodes.ts';
import { type Naming, printInstruction } from './print-instruction.ts';

export interface DisassembleOptions {
  readonly naming?: Naming;
  /** With a line of octets under each instruction. */
  readonly opcodes?: boolean;
  /** What an instruction was made for: printed on a line of its own, `; text`, where it differs from the one before. */
  readonly comment?: (slot: number) => string | undefined;
  /** The name of the function that starts here. */
  readonly heading?: (slot: number) => string | undefined;
}

/**
 * A program as `bpftool prog dump xlated` (with `opcodes`) prints it, line by line: `   0: (bf) r6 = r1`. `words` are two a slot, as a
 * program is loaded or as the kernel gives it back.
 */
export function* disassemble(words: Int32Array, options: DisassembleOptions = {}): Generator<string> {
  const { naming, opcodes = false, comment, heading } = options;
  let said: string | undefined;
  for (let slot = 0; 2 * slot < words.length; slot++) {
    const name = heading?.(slot);
    if (name !== undefined) yield `${name}:`;
    const text = comment?.(slot);
    if (text !== said && text !== undefined) yield `; ${text}`;
    said = text;
    yield `${String(slot).padStart(4)}: ${printInstruction(words, slot, naming)}`;
    const wide = ((words[2 * slot] ?? 0) & 0xff) === OPCODE.LOAD_IMMEDIATE && 2 * slot + 2 < words.length;
    if (opcodes) yield `       ${octets(words, slot, wide ? 2 : 1)}`;
    if (wide) slot++;
  }
}

/** `bf 16 00 00 00 00 00 00`, two slots in one line. */
function octets(words: Int32Array, slot: number, slots: number): string {
  const bytes = new Uint8Array(words.buffer, words.byteOffset + 8 * slot, 8 * slots);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
