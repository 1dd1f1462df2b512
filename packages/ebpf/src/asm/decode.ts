import { DecodeError } from '@weir/wire/bytes';
import type { Instruction } from './instruction.ts';
import {
  ALU_BITS,
  ALU_END,
  ALU_MOV,
  ALU_NEG,
  ALU_OPERATORS,
  ATOMIC_BITS,
  ATOMIC_CMPXCHG,
  ATOMIC_FETCH,
  ATOMIC_LOAD_ACQUIRE,
  ATOMIC_STORE_RELEASE,
  ATOMIC_XCHG,
  type AtomicOperator,
  CALL,
  CLASS,
  CLASS_MASK,
  COMPARISONS,
  IMMEDIATE,
  MODE,
  MODE_MASK,
  OPCODE,
  OPERATION_MASK,
  SIGNED_SIZES,
  SIZE_MASK,
  SIZES,
  SOURCE_REGISTER,
} from './opcodes.ts';
import { halfOf, type Register, registerOf } from './registers.ts';

/** The fields of one slot (RFC 9669 section 3.1). */
interface Slot {
  readonly opcode: number;
  readonly to: number;
  readonly source: number;
  readonly offset: number;
  readonly immediate: number;
}

/**
 * Words (two a slot) as instructions, which encode to the same words again: what is not an instruction of this kernel interface, or sets a field that its
 * instruction does not use, is `unknown`.
 */
export function decodeInstructions(words: Int32Array): Instruction[] {
  const found: Instruction[] = [];
  for (let slot = 0; 2 * slot < words.length; ) {
    const one = decodeInstruction(words, slot);
    found.push(one);
    slot += slotsOf(one);
  }
  return found;
}

/** 2 for what takes a 64-bit immediate, 1 for the others (RFC 9669 section 3.2). */
export function slotsOf(instruction: Instruction): 1 | 2 {
  switch (instruction.kind) {
    case 'constant':
    case 'map':
    case 'map-value':
    case 'kernel-variable':
    case 'function':
      return 2;
    default:
      return 1;
  }
}

/** The octets of a program as words. @throws DecodeError when they are not whole slots */
export function wordsOf(bytes: Uint8Array): Int32Array {
  if (bytes.length % 8 !== 0) throw new DecodeError(`${bytes.length} octets are not whole instructions`, bytes.length, 'instructions');
  return new Int32Array(bytes.slice().buffer);
}

/** The instruction that starts at `slot`. */
export function decodeInstruction(words: Int32Array, slot: number): Instruction {
  const low = words[2 * slot] ?? 0;
  const immediate = words[2 * slot + 1] ?? 0;
  const fields: Slot = { opcode: low & 0xff, to: (low >> 8) & 0x0f, source: (low >> 12) & 0x0f, offset: low >> 16, immediate };
  return read(fields, words, slot) ?? { kind: 'unknown', low, immediate };
}

function read(fields: Slot, words: Int32Array, slot: number): Instruction | undefined {
  switch (fields.opcode & CLASS_MASK) {
    case CLASS.ALU:
    case CLASS.ALU64:
      return readArithmetic(fields);
    case CLASS.JMP:
    case CLASS.JMP32:
      return readJump(fields);
    case CLASS.LDX:
      return readLoad(fields);
    case CLASS.ST:
    case CLASS.STX:
      return (fields.opcode & MODE_MASK) === MODE.ATOMIC ? readAtomic(fields) : readStore(fields);
    default:
      return fields.opcode === OPCODE.LOAD_IMMEDIATE ? readWide(fields, words, slot) : readPacket(fields);
  }
}

function readArithmetic({ opcode, to, source, offset, immediate }: Slot): Instruction | undefined {
  const half = (opcode & CLASS_MASK) === CLASS.ALU;
  const named = half ? halfOf : registerOf;
  const target = to === 10 ? undefined : named(to);
  if (target === undefined) return undefined;
  const fromRegister = (opcode & SOURCE_REGISTER) !== 0;
  const operation = opcode & OPERATION_MASK;
  if (operation === ALU_END) return readByteOrder({ opcode, to, source, offset, immediate });
  if (operation === ALU_NEG)
    return fromRegister || source !== 0 || offset !== 0 || immediate !== 0 ? undefined : { kind: 'negate', to: target };
  const operand = fromRegister ? (immediate === 0 ? named(source) : undefined) : source === 0 ? immediate : undefined;
  if (operand === undefined) return undefined;
  if (operation === ALU_MOV) {
    if (offset === 0) return { kind: 'mov', to: target, source: operand };
    const size = offset === 8 ? 's8' : offset === 16 ? 's16' : offset === 32 && !half ? 's32' : undefined;
    return size === undefined || typeof operand === 'number' ? undefined : { kind: 'mov-signed', to: target, size, source: operand };
  }
  const plain = ALU_OPERATORS[operation >> 4];
  const signed = operation === ALU_BITS['/='] ? 's/=' : operation === ALU_BITS['%='] ? 's%=' : undefined;
  const operator = offset === 0 ? plain : offset === 1 ? signed : undefined;
  if (operator === undefined) return undefined;
  if (typeof operand === 'number') {
    if (signed !== undefined && operand === 0) return undefined;
    const shift = operator === '<<=' || operator === '>>=' || operator === 's>>=';
    if (shift && (operand < 0 || operand >= (half ? 32 : 64))) return undefined;
  }
  return { kind: 'alu', operator, to: target, source: operand };
}

function readByteOrder({ opcode, to, source, offset, immediate }: Slot): Instruction | undefined {
  const target = registerOf(to);
  const bits = immediate === 16 || immediate === 32 || immediate === 64 ? immediate : undefined;
  if (target === undefined || bits === undefined || source !== 0 || offset !== 0) return undefined;
  const big = (opcode & SOURCE_REGISTER) !== 0;
  if ((opcode & CLASS_MASK) === CLASS.ALU) return { kind: 'byte-order', to: target, order: big ? 'be' : 'le', bits };
  return big ? undefined : { kind: 'byte-swap', to: target, bits };
}

function readJump({ opcode, to, source, offset, immediate }: Slot): Instruction | undefined {
  if (opcode === OPCODE.CALL) return readCall({ opcode, to, source, offset, immediate });
  const plain = to === 0 && source === 0;
  if (opcode === OPCODE.EXIT) return plain && offset === 0 && immediate === 0 ? { kind: 'exit' } : undefined;
  if (opcode === OPCODE.GOTO) return plain && immediate === 0 ? { kind: 'goto', offset } : undefined;
  if (opcode === OPCODE.GOTO_LONG) return plain && offset === 0 ? { kind: 'goto-long', offset: immediate } : undefined;
  if (opcode === OPCODE.MAY_GOTO) return plain && immediate === 0 ? { kind: 'may-goto', offset } : undefined;
  const named = (opcode & CLASS_MASK) === CLASS.JMP32 ? halfOf : registerOf;
  const comparison = COMPARISONS[(opcode & OPERATION_MASK) >> 4];
  const left = named(to);
  const fromRegister = (opcode & SOURCE_REGISTER) !== 0;
  const right = fromRegister ? (immediate === 0 ? named(source) : undefined) : source === 0 ? immediate : undefined;
  if (comparison === undefined || left === undefined || right === undefined) return undefined;
  return { kind: 'jump', comparison, left, right, offset };
}

function readCall({ to, source, offset, immediate }: Slot): Instruction | undefined {
  if (to !== 0) return undefined;
  if (source === CALL.KFUNC) return { kind: 'call-kernel', btfId: immediate, module: offset };
  if (offset !== 0) return undefined;
  if (source === CALL.HELPER) return { kind: 'call', helper: immediate };
  return source === CALL.LOCAL ? { kind: 'call-local', offset: immediate } : undefined;
}

function readLoad({ opcode, to, source, offset, immediate }: Slot): Instruction | undefined {
  const target = to === 10 ? undefined : registerOf(to);
  const base = registerOf(source);
  const sizes = (opcode & MODE_MASK) === MODE.MEM ? SIZES : (opcode & MODE_MASK) === MODE.MEMSX ? SIGNED_SIZES : [];
  const size = sizes[(opcode & SIZE_MASK) >> 3];
  if (target === undefined || base === undefined || size === undefined || immediate !== 0) return undefined;
  return { kind: 'load', to: target, size, base, offset };
}

function readStore({ opcode, to, source, offset, immediate }: Slot): Instruction | undefined {
  const base = registerOf(to);
  const size = SIZES[(opcode & SIZE_MASK) >> 3];
  if ((opcode & MODE_MASK) !== MODE.MEM || base === undefined || size === undefined) return undefined;
  if ((opcode & CLASS_MASK) === CLASS.ST) return source === 0 ? { kind: 'store', size, base, offset, source: immediate } : undefined;
  const value = registerOf(source);
  return value === undefined || immediate !== 0 ? undefined : { kind: 'store', size, base, offset, source: value };
}

function readAtomic({ opcode, to, source, offset, immediate }: Slot): Instruction | undefined {
  const any = SIZES[(opcode & SIZE_MASK) >> 3];
  const first = registerOf(to);
  const second = registerOf(source);
  if ((opcode & CLASS_MASK) !== CLASS.STX || any === undefined || first === undefined || second === undefined) return undefined;
  if (immediate === ATOMIC_LOAD_ACQUIRE)
    return first === 'r10' ? undefined : { kind: 'load-acquire', to: first, size: any, base: second, offset };
  if (immediate === ATOMIC_STORE_RELEASE) return { kind: 'store-release', size: any, base: first, offset, source: second };
  const size = any === 'u32' || any === 'u64' ? any : undefined;
  if (size === undefined) return undefined;
  const memory = { size, base: first, offset, source: second } as const;
  if (immediate === ATOMIC_CMPXCHG) return { kind: 'compare-exchange', ...memory };
  if (second === 'r10' && (immediate & ATOMIC_FETCH) !== 0) return undefined;
  if (immediate === ATOMIC_XCHG) return { kind: 'exchange', ...memory };
  const operator = (Object.keys(ATOMIC_BITS) as AtomicOperator[]).find((name) => ATOMIC_BITS[name] === (immediate & ~ATOMIC_FETCH));
  return operator === undefined ? undefined : { kind: 'atomic', operator, fetch: (immediate & ATOMIC_FETCH) !== 0, ...memory };
}

function readPacket({ opcode, to, source, offset, immediate }: Slot): Instruction | undefined {
  const mode = opcode & MODE_MASK;
  const size = SIZES[(opcode & SIZE_MASK) >> 3];
  if ((mode !== MODE.ABS && mode !== MODE.IND) || size === undefined || size === 'u64' || to !== 0 || offset !== 0) return undefined;
  if (mode === MODE.ABS) return source === 0 ? { kind: 'packet', size, offset: immediate } : undefined;
  const index = registerOf(source);
  return index === undefined ? undefined : { kind: 'packet', size, offset: immediate, index };
}

function readWide({ to, source, offset, immediate }: Slot, words: Int32Array, slot: number): Instruction | undefined {
  const target = to === 10 ? undefined : registerOf(to);
  const second = words[2 * slot + 3];
  if (target === undefined || offset !== 0 || second === undefined || words[2 * slot + 2] !== 0) return undefined;
  return readWideOperand(target, source, immediate, second);
}

function readWideOperand(to: Register, what: number, first: number, second: number): Instruction | undefined {
  switch (what) {
    case IMMEDIATE.VALUE:
      return { kind: 'constant', to, value: BigInt.asUintN(64, (BigInt(second) << 32n) | BigInt(first >>> 0)) };
    case IMMEDIATE.MAP:
    case IMMEDIATE.MAP_INDEX:
      return second === 0 ? { kind: 'map', to, map: first, indexed: what === IMMEDIATE.MAP_INDEX } : undefined;
    case IMMEDIATE.MAP_VALUE:
    case IMMEDIATE.MAP_INDEX_VALUE:
      return { kind: 'map-value', to, map: first, indexed: what === IMMEDIATE.MAP_INDEX_VALUE, offset: second >>> 0 };
    case IMMEDIATE.BTF:
      return { kind: 'kernel-variable', to, btfId: first, module: second };
    case IMMEDIATE.FUNCTION:
      return second === 0 ? { kind: 'function', to, offset: first } : undefined;
    default:
      return undefined;
  }
}
