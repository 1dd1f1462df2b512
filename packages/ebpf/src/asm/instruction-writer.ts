import type { HelperName } from './call-names.ts';
import { helperNumber } from './call-names.ts';
import { AssemblyError } from './error.ts';
import type { AnyRegister } from './instruction.ts';
import {
  ALU_BITS,
  ALU_END,
  ALU_MOV,
  ALU_NEG,
  type AluOperator,
  ATOMIC_BITS,
  ATOMIC_CMPXCHG,
  ATOMIC_FETCH,
  ATOMIC_LOAD_ACQUIRE,
  ATOMIC_STORE_RELEASE,
  ATOMIC_XCHG,
  type AtomicOperator,
  CALL,
  CLASS,
  type Comparison,
  IMMEDIATE,
  JUMP_BITS,
  MODE,
  OPCODE,
  SIZE_BITS,
  type SignedSize,
  type Size,
  SOURCE_REGISTER,
} from './opcodes.ts';
import { type HalfRegister, isHalf, type Register, registerNumber } from './registers.ts';

/** What the kernel takes of a privileged loader (BPF_COMPLEXITY_LIMIT_INSNS); it also bounds the memory of a writer. */
export const MAX_SLOTS = 1_000_000;

const firstSlots = 64;

/**
 * Writes instructions as they are encoded (RFC 9669 section 3), two words of 32 bits a slot, into one array that grows. Each method is one instruction
 * and checks its operands: registers that may be written, one width for both, immediates and offsets that fit. An instruction that takes a w register takes
 * immediates up to 0xffffffff; one that takes an r register extends the sign of its 32 bits, so it takes none from 0x80000000 up.
 *
 * Encodings are those of little-endian machines.
 */
export class InstructionWriter {
  #words = new Int32Array(2 * firstSlots);
  #origins = new Int32Array(firstSlots);
  #slots = 0;

  /** What is noted for each slot that is written; -1 says nothing. */
  protected originIndex = -1;

  /** How many slots of eight octets have been written: the number that the next instruction gets. */
  get slots(): number {
    return this.#slots;
  }

  /** `r1 += r2`, `w1 s>>= 3`. Division by a constant 0 and shifts by the width or more are refused, as the kernel refuses them. */
  alu(to: Register, operator: AluOperator, source: Register | number): this;
  alu(to: HalfRegister, operator: AluOperator, source: HalfRegister | number): this;
  alu(to: AnyRegister, operator: AluOperator, source: AnyRegister | number): this;
  alu(to: AnyRegister, operator: AluOperator, source: AnyRegister | number): this {
    if (typeof source === 'number') this.#checkConstant(to, operator, source);
    const signed = operator === 's/=' || operator === 's%=' ? 1 : 0;
    return this.#arithmetic(to, ALU_BITS[operator], source, signed);
  }

  /** `r1 = r2`, `r1 = -5`, `w1 = w2` (which clears the upper half). */
  mov(to: Register, source: Register | number): this;
  mov(to: HalfRegister, source: HalfRegister | number): this;
  mov(to: AnyRegister, source: AnyRegister | number): this;
  mov(to: AnyRegister, source: AnyRegister | number): this {
    return this.#arithmetic(to, ALU_MOV, source, 0);
  }

  /** `r1 = (s8)r2`: kernel 6.6. */
  movSigned(to: Register, size: SignedSize, source: Register): this;
  movSigned(to: HalfRegister, size: 's8' | 's16', source: HalfRegister): this;
  movSigned(to: AnyRegister, size: SignedSize, source: AnyRegister): this;
  movSigned(to: AnyRegister, size: SignedSize, source: AnyRegister): this {
    if (size === 's32' && isHalf(to)) throw this.#operand('a half register has no more than 32 bits to extend to');
    return this.#arithmetic(to, ALU_MOV, source, size === 's8' ? 8 : size === 's16' ? 16 : 32);
  }

  /** `r1 = -r1`. */
  neg(to: AnyRegister): this {
    return this.emit((isHalf(to) ? CLASS.ALU : CLASS.ALU64) | ALU_NEG, this.#written(to), 0, 0, 0);
  }

  /** `r1 = be16 r1`: swaps the lower octets where the machine's order is not the one named, and clears what is above them. */
  byteOrder(to: Register, order: 'be' | 'le', bits: 16 | 32 | 64): this {
    return this.emit(CLASS.ALU | ALU_END | (order === 'be' ? SOURCE_REGISTER : 0), this.#written(to), 0, 0, bits);
  }

  /** `r1 = bswap16 r1`: kernel 6.6. */
  byteSwap(to: Register, bits: 16 | 32 | 64): this {
    return this.emit(CLASS.ALU64 | ALU_END, this.#written(to), 0, 0, bits);
  }

  /** `r1 = *(u16 *)(r2 +12)`. Signed sizes: kernel 6.6. */
  load(to: Register, size: Size | SignedSize, base: Register, offset: number): this {
    const mode = size === 's8' || size === 's16' || size === 's32' ? MODE.MEMSX : MODE.MEM;
    return this.emit(CLASS.LDX | mode | SIZE_BITS[size], this.#written(to), registerNumber(base), this.#offset(offset), 0);
  }

  /** `*(u32 *)(r10 -4) = r1`, `*(u16 *)(r10 -4) = 7`. */
  store(size: Size, base: Register, offset: number, source: Register | number): this {
    const bits = MODE.MEM | SIZE_BITS[size];
    const at = this.#offset(offset);
    if (typeof source !== 'number') return this.emit(CLASS.STX | bits, registerNumber(base), registerNumber(source), at, 0);
    return this.emit(CLASS.ST | bits, registerNumber(base), 0, at, this.#immediate(source, size !== 'u64'));
  }

  /** `lock *(u64 *)(r0 +0) += r1`. */
  atomic(size: 'u32' | 'u64', base: Register, offset: number, operator: AtomicOperator, source: Register): this {
    return this.#atomic(size, base, offset, ATOMIC_BITS[operator], source);
  }

  /** `r1 = atomic64_fetch_add((u64 *)(r0 +0), r1)`: `source` becomes what was there. */
  atomicFetch(size: 'u32' | 'u64', base: Register, offset: number, operator: AtomicOperator, source: Register): this {
    this.#written(source);
    return this.#atomic(size, base, offset, ATOMIC_BITS[operator] | ATOMIC_FETCH, source);
  }

  /** `r1 = atomic64_xchg((u64 *)(r0 +0), r1)`: `source` becomes what was there. */
  exchange(size: 'u32' | 'u64', base: Register, offset: number, source: Register): this {
    this.#written(source);
    return this.#atomic(size, base, offset, ATOMIC_XCHG, source);
  }

  /** `r0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2)`: where r0 is there, `source` takes its place; r0 becomes what was there. */
  compareExchange(size: 'u32' | 'u64', base: Register, offset: number, source: Register): this {
    return this.#atomic(size, base, offset, ATOMIC_CMPXCHG, source);
  }

  /** `r1 = load_acquire((u64 *)(r2 +0))`: kernel 6.15. */
  loadAcquire(to: Register, size: Size, base: Register, offset: number): this {
    const opcode = CLASS.STX | MODE.ATOMIC | SIZE_BITS[size];
    return this.emit(opcode, this.#written(to), registerNumber(base), this.#offset(offset), ATOMIC_LOAD_ACQUIRE);
  }

  /** `store_release((u64 *)(r1 +0), r2)`: kernel 6.15. */
  storeRelease(size: Size, base: Register, offset: number, source: Register): this {
    return this.#atomic(size, base, offset, ATOMIC_STORE_RELEASE, source);
  }

  /**
   * `r0 = *(u16 *)skb[offset]` or `skb[index + offset]`: octets of the packet in the machine's order, wherever they lie in the buffer; the
   * program ends with 0 when they are not there. r6 holds the context, r1 to r5 are lost. Socket filters and tc only.
   */
  packet(size: 'u8' | 'u16' | 'u32', offset: number, index?: Register): this {
    const mode = index === undefined ? MODE.ABS : MODE.IND;
    const source = index === undefined ? 0 : registerNumber(index);
    return this.emit(CLASS.LD | mode | SIZE_BITS[size], 0, source, 0, this.#immediate(offset, false));
  }

  /** `r1 = 0x1122334455667788` in two slots; values from -2^63 to 2^64 - 1. */
  constant(to: Register, value: bigint | number): this {
    const wide = typeof value === 'bigint' ? value : Number.isSafeInteger(value) ? BigInt(value) : undefined;
    if (wide === undefined || wide < -(2n ** 63n) || wide >= 2n ** 64n)
      throw new AssemblyError('immediate-range', `${value} does not fit into 64 bits`, this.#slots);
    return this.wide(to, IMMEDIATE.VALUE, Number(BigInt.asIntN(32, wide)), Number(BigInt.asIntN(32, wide >> 32n)));
  }

  /** Any 64-bit immediate: `what` is one of IMMEDIATE, and the two immediates are what it says. */
  wide(to: Register, what: number, first: number, second: number): this {
    this.emit(OPCODE.LOAD_IMMEDIATE, this.#written(to), what, 0, first);
    return this.emit(0, 0, 0, 0, second);
  }

  /** `if r1 == 5 goto` the slot `offset` after the next one. */
  jumpBy(left: AnyRegister, comparison: Comparison, right: AnyRegister | number, offset: number): this {
    const half = isHalf(left);
    const opcode = (half ? CLASS.JMP32 : CLASS.JMP) | JUMP_BITS[comparison];
    const at = this.#offset(offset);
    if (typeof right === 'number') return this.emit(opcode, registerNumber(left), 0, at, this.#immediate(right, half));
    if (isHalf(right) !== half) throw this.#operand(`${left} and ${right} are not of one width`);
    return this.emit(opcode | SOURCE_REGISTER, registerNumber(left), registerNumber(right), at, 0);
  }

  gotoBy(offset: number): this {
    return this.emit(OPCODE.GOTO, 0, 0, this.#offset(offset), 0);
  }

  /** `gotol`: kernel 6.6. */
  gotoLongBy(offset: number): this {
    return this.emit(OPCODE.GOTO_LONG, 0, 0, 0, this.#immediate(offset, false));
  }

  /** kernel 6.9. */
  mayGotoBy(offset: number): this {
    return this.emit(OPCODE.MAY_GOTO, 0, 0, this.#offset(offset), 0);
  }

  /** Calls a helper of the kernel: arguments in r1 to r5, which are lost; the result in r0. */
  call(helper: HelperName | number): this {
    const number = typeof helper === 'number' ? helper : helperNumber(helper);
    if (number === undefined) throw this.#operand(`the kernel has no helper ${helper}`);
    return this.emit(OPCODE.CALL, 0, CALL.HELPER, 0, this.#immediate(number, false));
  }

  /** Calls the function of this program that starts `offset` slots after the next one. */
  callLocalBy(offset: number): this {
    return this.emit(OPCODE.CALL, 0, CALL.LOCAL, 0, this.#immediate(offset, false));
  }

  /** Calls a function of the kernel, or of the module whose BTF descriptor is in place `module` of the loader's list. */
  callKernelById(btfId: number, module: number): this {
    return this.emit(OPCODE.CALL, 0, CALL.KFUNC, this.#offset(module), this.#immediate(btfId, false));
  }

  /** Leaves the function; r0 is its result. */
  exit(): this {
    return this.emit(OPCODE.EXIT, 0, 0, 0, 0);
  }

  /** One slot as it is. */
  emit(opcode: number, to: number, source: number, offset: number, immediate: number): this {
    return this.emitWords(opcode | (to << 8) | (source << 12) | (offset << 16), immediate);
  }

  emitWords(low: number, immediate: number): this {
    const slot = this.#slots;
    if (slot === this.#origins.length) this.#grow();
    this.#words[2 * slot] = low;
    this.#words[2 * slot + 1] = immediate;
    this.#origins[slot] = this.originIndex;
    this.#slots = slot + 1;
    return this;
  }

  /** What has been written, as a copy: two words a slot (low, immediate), and the origin of each slot. */
  written(): { readonly words: Int32Array; readonly origins: Int32Array } {
    return { words: this.#words.slice(0, 2 * this.#slots), origins: this.#origins.slice(0, this.#slots) };
  }

  #grow(): void {
    if (this.#slots >= MAX_SLOTS) throw new AssemblyError('program-size', `more than ${MAX_SLOTS} instructions`);
    const slots = Math.min(2 * this.#slots, MAX_SLOTS);
    const words = new Int32Array(2 * slots);
    words.set(this.#words);
    const origins = new Int32Array(slots);
    origins.set(this.#origins);
    this.#words = words;
    this.#origins = origins;
  }

  #arithmetic(to: AnyRegister, bits: number, source: AnyRegister | number, offset: number): this {
    const half = isHalf(to);
    const opcode = (half ? CLASS.ALU : CLASS.ALU64) | bits;
    const number = this.#written(to);
    if (typeof source === 'number') return this.emit(opcode, number, 0, offset, this.#immediate(source, half));
    if (isHalf(source) !== half) throw this.#operand(`${to} and ${source} are not of one width`);
    return this.emit(opcode | SOURCE_REGISTER, number, registerNumber(source), offset, 0);
  }

  #atomic(size: Size, base: Register, offset: number, operation: number, source: Register): this {
    const opcode = CLASS.STX | MODE.ATOMIC | SIZE_BITS[size];
    return this.emit(opcode, registerNumber(base), registerNumber(source), this.#offset(offset), operation);
  }

  #checkConstant(to: AnyRegister, operator: AluOperator, source: number): void {
    const shift = operator === '<<=' || operator === '>>=' || operator === 's>>=';
    if (shift && (source < 0 || source >= (isHalf(to) ? 32 : 64))) throw this.#operand(`${to} cannot be shifted by ${source}`);
    const divides = operator === '/=' || operator === '%=' || operator === 's/=' || operator === 's%=';
    if (divides && source === 0) throw this.#operand('division by a constant 0');
  }

  #written(to: AnyRegister): number {
    const number = registerNumber(to);
    if (number === 10) throw this.#operand(`${to} is read-only`);
    return number;
  }

  #immediate(value: number, unsignedToo: boolean): number {
    if (!Number.isInteger(value) || value < -0x8000_0000 || value > (unsignedToo ? 0xffff_ffff : 0x7fff_ffff))
      throw new AssemblyError('immediate-range', `${value} does not fit into the 32 bits of this instruction`, this.#slots);
    return value | 0;
  }

  #offset(value: number): number {
    if (!Number.isInteger(value) || value < -0x8000 || value > 0x7fff)
      throw new AssemblyError('offset-range', `the offset ${value} does not fit into 16 bits`, this.#slots);
    return value;
  }

  #operand(message: string): AssemblyError {
    return new AssemblyError('operand', message, this.#slots);
  }
}
