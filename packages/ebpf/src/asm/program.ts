import { AssemblyError } from './error.ts';
import { ALU_MOV, CLASS } from './opcodes.ts';

/** What a program names and the loader gives: maps become descriptors, kernel functions BTF ids, constants 64 bits. */
export interface ProgramSymbol {
  readonly kind: 'map' | 'constant' | 'kernel-function';
  readonly name: string;
}

/**
 * A program whose jumps are resolved and whose symbols are not. It holds nothing of a kernel: it can be kept, compared, printed and bound any number of
 * times. `Origin` is what its compiler says of an instruction: the rule and the place in the source.
 */
export interface AssembledProgram<Origin = string> {
  /** Two a slot: low (opcode, registers, offset) and immediate. */
  readonly words: Int32Array;
  /** The functions in order; the first is the program itself. */
  readonly functions: readonly { readonly name: string; readonly slot: number }[];
  readonly symbols: readonly ProgramSymbol[];
  /** The slots that name a symbol, ascending, and which one. */
  readonly references: { readonly slots: Int32Array; readonly symbols: Int32Array };
  /** By slot: a place in `origins`, or -1. */
  readonly originIndex: Int32Array;
  readonly origins: readonly Origin[];
}

/** What the instruction at `slot` was made for. */
export function originAt<Origin>(program: AssembledProgram<Origin>, slot: number): Origin | undefined {
  return program.origins[program.originIndex[slot] ?? -1];
}

/** The name of the symbol that the instruction at `slot` names. */
export function symbolAt(program: AssembledProgram<unknown>, slot: number): ProgramSymbol | undefined {
  const { slots, symbols } = program.references;
  let low = 0;
  let high = slots.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((slots[middle] ?? 0) < slot) low = middle + 1;
    else high = middle;
  }
  return slots[low] === slot ? program.symbols[symbols[low] ?? -1] : undefined;
}

export interface Bindings {
  /** Descriptors. */
  readonly maps?: ReadonlyMap<string, number>;
  readonly constants?: ReadonlyMap<string, bigint>;
  /** `module` is 0 for the kernel's own BTF, else a place in the list of descriptors that the program is loaded with. */
  readonly kernelFunctions?: ReadonlyMap<string, { readonly btfId: number; readonly module: number }>;
  /** Kernel functions that this kernel has not and the program can do without: r0 is 0 where it would call them. */
  readonly absentFunctions?: ReadonlySet<string>;
}

/**
 * The octets to load (little-endian).
 * @throws AssemblyError unbound, for the first symbol that `bindings` lacks
 */
export function bindProgram(program: AssembledProgram<unknown>, bindings: Bindings): Uint8Array {
  const words = program.words.slice();
  const { slots, symbols } = program.references;
  const values = program.symbols.map((symbol) => boundValue(symbol, bindings));
  for (let i = 0; i < slots.length; i++) {
    const at = 2 * (slots[i] ?? 0);
    const [kind, first, second] = values[symbols[i] ?? 0] ?? ['map', 0, 0];
    words[at + 1] = first;
    if (kind === 'constant') words[at + 3] = second;
    if (kind === 'absent') words[at] = CLASS.ALU64 | ALU_MOV;
    if (kind === 'kernel-function') words[at] = ((words[at] ?? 0) & 0xffff) | (second << 16);
  }
  return new Uint8Array(words.buffer);
}

type Value = readonly [kind: ProgramSymbol['kind'] | 'absent', first: number, second: number];

function boundValue({ kind, name }: ProgramSymbol, { maps, constants, kernelFunctions, absentFunctions }: Bindings): Value {
  if (kind === 'map') {
    const descriptor = maps?.get(name);
    if (descriptor !== undefined) return [kind, descriptor, 0];
  } else if (kind === 'constant') {
    const value = constants?.get(name);
    if (value !== undefined) return [kind, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
  } else {
    const found = kernelFunctions?.get(name);
    if (found !== undefined) return [kind, found.btfId, found.module];
    if (absentFunctions?.has(name)) return ['absent', 0, 0];
  }
  throw new AssemblyError('unbound', `the ${kind} ${name} has no value`);
}
