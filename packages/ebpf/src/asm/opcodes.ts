/**
 * The parts of an instruction's first octet (RFC 9669 section 3.1; linux/include/uapi/linux/bpf.h and bpf_common.h). The classes, from the low
 * three bits:
 *
 *     arithmetic, jumps   | operation (4) | source (1) | class (3) |
 *     loads, stores       | mode (3)      | size (2)   | class (3) |
 */
export const CLASS = { LD: 0, LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, JMP32: 6, ALU64: 7 } as const;
export const CLASS_MASK = 0x07;

/** The source bit of arithmetic and jumps: a register rather than the immediate. */
export const SOURCE_REGISTER = 0x08;
export const OPERATION_MASK = 0xf0;

export const MODE = { IMM: 0x00, ABS: 0x20, IND: 0x40, MEM: 0x60, MEMSX: 0x80, ATOMIC: 0xc0 } as const;
export const MODE_MASK = 0xe0;

/** The sizes of loads and stores, named as the kernel prints them. */
export type Size = 'u8' | 'u16' | 'u32' | 'u64';
/** Sizes that are read with their sign (RFC 9669 section 5.2). */
export type SignedSize = 's8' | 's16' | 's32';

export const SIZE_MASK = 0x18;
export const SIZE_BITS: Readonly<Record<Size | SignedSize, number>> = {
  u32: 0x00,
  u16: 0x08,
  u8: 0x10,
  u64: 0x18,
  s32: 0x00,
  s16: 0x08,
  s8: 0x10,
};
/** By the two size bits, shifted down. */
export const SIZES: readonly Size[] = ['u32', 'u16', 'u8', 'u64'];
export const SIGNED_SIZES: readonly SignedSize[] = ['s32', 's16', 's8'];

/** Arithmetic with a destination and a source, as the kernel prints it. `s/=` and `s%=` are kernel 6.6. */
export type AluOperator = '+=' | '-=' | '*=' | '/=' | '|=' | '&=' | '<<=' | '>>=' | '%=' | '^=' | 's>>=' | 's/=' | 's%=';

/** Operation bits; division and remainder with a sign are told apart by offset 1 (RFC 9669 section 4.1). */
export const ALU_BITS: Readonly<Record<AluOperator, number>> = {
  '+=': 0x00,
  '-=': 0x10,
  '*=': 0x20,
  '/=': 0x30,
  '|=': 0x40,
  '&=': 0x50,
  '<<=': 0x60,
  '>>=': 0x70,
  '%=': 0x90,
  '^=': 0xa0,
  's>>=': 0xc0,
  's/=': 0x30,
  's%=': 0x90,
};

export const ALU_NEG = 0x80;
export const ALU_MOV = 0xb0;
export const ALU_END = 0xd0;

/** By the operation bits, shifted down; undefined for negation, move and byte order. */
export const ALU_OPERATORS: readonly (AluOperator | undefined)[] = [
  '+=',
  '-=',
  '*=',
  '/=',
  '|=',
  '&=',
  '<<=',
  '>>=',
  undefined,
  '%=',
  '^=',
  undefined,
  's>>=',
  undefined,
];

/** What a conditional jump compares, as the kernel prints it; `&` jumps when a bit of both is set. */
export type Comparison = '==' | '!=' | '>' | '>=' | '<' | '<=' | '&' | 's>' | 's>=' | 's<' | 's<=';

export const JUMP_BITS: Readonly<Record<Comparison, number>> = {
  '==': 0x10,
  '>': 0x20,
  '>=': 0x30,
  '&': 0x40,
  '!=': 0x50,
  's>': 0x60,
  's>=': 0x70,
  '<': 0xa0,
  '<=': 0xb0,
  's<': 0xc0,
  's<=': 0xd0,
};

/** By the operation bits, shifted down; undefined for goto, call, exit and may_goto. */
export const COMPARISONS: readonly (Comparison | undefined)[] = [
  undefined,
  '==',
  '>',
  '>=',
  '&',
  '!=',
  's>',
  's>=',
  undefined,
  undefined,
  '<',
  '<=',
  's<',
  's<=',
];

const JUMP_ALWAYS = 0x00;
const JUMP_CALL = 0x80;
const JUMP_EXIT = 0x90;
/** BPF_JCOND: with source register 0 it is may_goto. */
const JUMP_COND = 0xe0;

/** What an atomic instruction does (RFC 9669 section 5.3); the last two order a plain load or store (kernel 6.15). */
export type AtomicOperator = 'add' | 'or' | 'and' | 'xor';
export const ATOMIC_BITS: Readonly<Record<AtomicOperator, number>> = { add: 0x00, or: 0x40, and: 0x50, xor: 0xa0 };
export const ATOMIC_FETCH = 0x01;
export const ATOMIC_XCHG = 0xe1;
export const ATOMIC_CMPXCHG = 0xf1;
export const ATOMIC_LOAD_ACQUIRE = 0x100;
export const ATOMIC_STORE_RELEASE = 0x110;

/** What the source register of a 64-bit immediate says it is (RFC 9669 section 5.4). */
export const IMMEDIATE = { VALUE: 0, MAP: 1, MAP_VALUE: 2, BTF: 3, FUNCTION: 4, MAP_INDEX: 5, MAP_INDEX_VALUE: 6 } as const;

/** What the source register of a call says it calls (RFC 9669 section 4.3.1, 4.3.2). */
export const CALL = { HELPER: 0, LOCAL: 1, KFUNC: 2 } as const;

/** First octets of single instructions. */
export const OPCODE: Readonly<Record<'LOAD_IMMEDIATE' | 'GOTO' | 'GOTO_LONG' | 'MAY_GOTO' | 'CALL' | 'EXIT', number>> = {
  LOAD_IMMEDIATE: CLASS.LD | MODE.IMM | 0x18,
  GOTO: CLASS.JMP | JUMP_ALWAYS,
  GOTO_LONG: CLASS.JMP32 | JUMP_ALWAYS,
  MAY_GOTO: CLASS.JMP | JUMP_COND,
  CALL: CLASS.JMP | JUMP_CALL,
  EXIT: CLASS.JMP | JUMP_EXIT,
};
