import { HELPER_NAMES } from './call-names.ts';
import {
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
  MODE,
  MODE_MASK,
  OPCODE,
  OPERATION_MASK,
  SIGNED_SIZES,
  SIZE_MASK,
  SIZES,
  SOURCE_REGISTER,
} from './opcodes.ts';

/** Names for what is only a number in an instruction; undefined leaves the number. */
export interface Naming {
  /** A 64-bit immediate: `what` is the source register's number (IMMEDIATE), `value` all 64 bits. The kernel prints it in hexadecimal, bpftool `map[id:7]`. */
  readonly immediate?: (what: number, value: bigint, slot: number) => string | undefined;
  /** A call that is no helper's number: `what` is the source register's number (CALL). */
  readonly call?: (what: number, immediate: number, offset: number, slot: number) => string | undefined;
}

/** The fields of a slot, as text where the text is the same everywhere. */
interface Fields {
  readonly opcode: number;
  readonly to: number;
  readonly source: number;
  readonly offset: number;
  readonly immediate: number;
}

/**
 * One instruction as the kernel's verifier log has it, `(bf) r6 = r1`, and `bpftool prog dump xlated` as well (linux/kernel/bpf/disasm.c, 6.18): what the
 * verifier has rewritten is printed as it stands. Words that are no instruction come out as the kernel has them (`BUG_ldx_e1`).
 */
export function printInstruction(words: Int32Array, slot: number, naming: Naming = {}): string {
  const low = words[2 * slot] ?? 0;
  const fields: Fields = {
    opcode: low & 0xff,
    to: (low >> 8) & 0x0f,
    source: (low >> 12) & 0x0f,
    offset: low >> 16,
    immediate: words[2 * slot + 1] ?? 0,
  };
  const text = body(fields, words, slot, naming);
  return text.startsWith('BUG_') ? text : `(${octet(fields.opcode)}) ${text}`;
}

function body(fields: Fields, words: Int32Array, slot: number, naming: Naming): string {
  switch (fields.opcode & CLASS_MASK) {
    case CLASS.ALU:
      return arithmetic(fields, 'w');
    case CLASS.ALU64:
      return arithmetic(fields, 'r');
    case CLASS.JMP:
      return jump(fields, 'r', slot, naming);
    case CLASS.JMP32:
      return jump(fields, 'w', slot, naming);
    case CLASS.LDX:
      return load(fields);
    case CLASS.STX:
      return store(fields);
    case CLASS.ST:
      return storeImmediate(fields);
    default:
      return nonStandardLoad(fields, words, slot, naming);
  }
}

function arithmetic({ opcode, to, source, offset, immediate }: Fields, width: 'r' | 'w'): string {
  const operation = opcode & OPERATION_MASK;
  const fromRegister = (opcode & SOURCE_REGISTER) !== 0;
  if (operation === ALU_END) {
    if (width === 'r') return `r${to} = bswap${immediate} r${to}`;
    return `r${to} = ${fromRegister ? 'be' : 'le'}${immediate} r${to}`;
  }
  if (operation === ALU_NEG) return `${width}${to} = -${width}${to}`;
  if (opcode === 0xbf && offset === 1) return `r${to} = addr_space_cast(r${source}, ${immediate >>> 16}, ${immediate & 0xffff})`;
  if (opcode === 0xbf && offset === -1) return `r${to} = &(void __percpu *)(r${source})`;
  const plain = operation === ALU_MOV ? '=' : (ALU_OPERATORS[operation >> 4] ?? '(null)');
  const signed = (plain === '/=' || plain === '%=') && offset === 1 ? `s${plain}` : plain;
  if (!fromRegister) return `${width}${to} ${signed} ${immediate}`;
  const extended = operation === ALU_MOV && (offset === 8 || offset === 16 || offset === 32) ? `(s${offset})` : '';
  return `${width}${to} ${signed} ${extended}${width}${source}`;
}

function jump({ opcode, to, source, offset, immediate }: Fields, width: 'r' | 'w', slot: number, naming: Naming): string {
  const operation = opcode & OPERATION_MASK;
  if (operation === (OPCODE.CALL & OPERATION_MASK)) {
    const known = source === CALL.HELPER && immediate > 0 ? HELPER_NAMES[immediate] : undefined;
    const name = known === undefined ? naming.call?.(source, immediate, offset, slot) : `bpf_${known}`;
    if (source === CALL.LOCAL) return `call pc${name ?? signedNumber(immediate)}`;
    return `call ${name ?? (source === CALL.KFUNC ? 'kernel-function' : 'unknown')}#${immediate}`;
  }
  if (opcode === OPCODE.GOTO) return `goto pc${signedNumber(offset)}`;
  if (opcode === OPCODE.MAY_GOTO && source === 0) return `may_goto pc${signedNumber(offset)}`;
  if (opcode === OPCODE.GOTO_LONG) return `gotol pc${signedNumber(immediate)}`;
  if (opcode === OPCODE.EXIT) return 'exit';
  const right = (opcode & SOURCE_REGISTER) === 0 ? `0x${(immediate >>> 0).toString(16)}` : `${width}${source}`;
  const comparison = COMPARISONS[operation >> 4] ?? '(null)';
  return `if ${width}${to} ${comparison} ${right} goto pc${signedNumber(offset)}`;
}

function load({ opcode, to, source, offset }: Fields): string {
  const mode = opcode & MODE_MASK;
  const sizes: readonly string[] = mode === MODE.MEM ? SIZES : mode === MODE.MEMSX ? SIGNED_SIZES : [];
  if (sizes.length === 0) return `BUG_ldx_${octet(opcode)}`;
  return `r${to} = ${memory(sizes[(opcode & SIZE_MASK) >> 3] ?? '(null)', source, offset)}`;
}

function store({ opcode, to, source, offset, immediate }: Fields): string {
  const mode = opcode & MODE_MASK;
  const size = SIZES[(opcode & SIZE_MASK) >> 3] ?? 'u32';
  const place = memory(size, to, offset);
  if (mode === MODE.MEM) return `${place} = r${source}`;
  if (mode !== MODE.ATOMIC) return `BUG_${octet(opcode)}`;
  const atomic = size === 'u64' ? 'atomic64' : 'atomic';
  const pointer = place.slice(1);
  if (immediate === ATOMIC_CMPXCHG) return `r0 = ${atomic}_cmpxchg(${pointer}, r0, r${source})`;
  if (immediate === ATOMIC_XCHG) return `r${source} = ${atomic}_xchg(${pointer}, r${source})`;
  if (immediate === ATOMIC_LOAD_ACQUIRE) return `r${to} = load_acquire(${memory(size, source, offset).slice(1)})`;
  if (immediate === ATOMIC_STORE_RELEASE) return `store_release(${pointer}, r${source})`;
  const operator = operators.find((name) => ATOMIC_BITS[name] === (immediate & ~ATOMIC_FETCH));
  if (operator === undefined) return `BUG_${octet(opcode)}`;
  if ((immediate & ATOMIC_FETCH) !== 0) return `r${source} = ${atomic}_fetch_${operator}(${pointer}, r${source})`;
  return `lock ${place} ${ALU_OPERATORS[immediate >> 4] ?? ''} r${source}`;
}

const operators = Object.keys(ATOMIC_BITS) as readonly AtomicOperator[];

function storeImmediate({ opcode, to, offset, immediate }: Fields): string {
  const mode = opcode & MODE_MASK;
  // Not for programs: the verifier puts it where speculation must end.
  if (mode === 0xc0) return 'nospec';
  if (mode !== MODE.MEM) return `BUG_st_${octet(opcode)}`;
  return `${memory(SIZES[(opcode & SIZE_MASK) >> 3] ?? 'u32', to, offset)} = ${immediate}`;
}

function nonStandardLoad({ opcode, to, source, immediate }: Fields, words: Int32Array, slot: number, naming: Naming): string {
  const mode = opcode & MODE_MASK;
  const size = SIZES[(opcode & SIZE_MASK) >> 3] ?? 'u32';
  if (mode === MODE.ABS) return `r0 = *(${size} *)skb[${immediate}]`;
  if (mode === MODE.IND) return `r0 = *(${size} *)skb[r${source} + ${immediate}]`;
  if (opcode !== OPCODE.LOAD_IMMEDIATE) return `BUG_ld_${octet(opcode)}`;
  const value = (BigInt((words[2 * slot + 3] ?? 0) >>> 0) << 32n) | BigInt(immediate >>> 0);
  return `r${to} = ${naming.immediate?.(source, value, slot) ?? `0x${value.toString(16)}`}`;
}

/** `*(u16 *)(r2 +12)`. */
function memory(size: string, register: number, offset: number): string {
  return `*(${size} *)(r${register} ${signedNumber(offset)})`;
}

function signedNumber(value: number): string {
  return value < 0 ? `${value}` : `+${value}`;
}

function octet(value: number): string {
  return value.toString(16).padStart(2, '0');
}
