import type { AluOperator, AtomicOperator, Comparison, SignedSize, Size } from './opcodes.ts';
import type { HalfRegister, Register } from './registers.ts';

/** r for 64 bits, w for the lower 32: both operands of an instruction are of one width. */
export type AnyRegister = Register | HalfRegister;

/**
 * One instruction as a value: for tests, tools and printing. Programs are not made of these (10,000 rules would be 100,000 objects) but written by
 * `Assembler` straight into words.
 *
 * `number` operands are immediates of 32 bits, signed; memory and jump offsets are of 16 bits, signed; jump offsets count slots of eight octets
 * from the following instruction.
 */
export type Instruction =
  /** `r1 += r2`, `w1 += 5` (RFC 9669 section 4.1). */
  | { readonly kind: 'alu'; readonly operator: AluOperator; readonly to: AnyRegister; readonly source: AnyRegister | number }
  /** `r1 = r2`, `w1 = 5`. */
  | { readonly kind: 'mov'; readonly to: AnyRegister; readonly source: AnyRegister | number }
  /** `r1 = (s8)r2` (kernel 6.6). */
  | { readonly kind: 'mov-signed'; readonly to: AnyRegister; readonly size: SignedSize; readonly source: AnyRegister }
  /** `r1 = -r1`. */
  | { readonly kind: 'negate'; readonly to: AnyRegister }
  /** `r1 = be16 r1`: between the machine's order and the one named (RFC 9669 section 4.2). */
  | { readonly kind: 'byte-order'; readonly to: Register; readonly order: 'be' | 'le'; readonly bits: 16 | 32 | 64 }
  /** `r1 = bswap16 r1` (kernel 6.6). */
  | { readonly kind: 'byte-swap'; readonly to: Register; readonly bits: 16 | 32 | 64 }
  /** `r1 = *(u16 *)(r2 +12)` (RFC 9669 section 5.1), signed sizes from kernel 6.6 (RFC 9669 section 5.2). */
  | { readonly kind: 'load'; readonly to: Register; readonly size: Size | SignedSize; readonly base: Register; readonly offset: number }
  /** `*(u32 *)(r10 -4) = r1`, `*(u32 *)(r10 -4) = 7`. */
  | { readonly kind: 'store'; readonly size: Size; readonly base: Register; readonly offset: number; readonly source: Register | number }
  /** `lock *(u64 *)(r0 +0) += r1`; with `fetch` the old value comes back in `source` (RFC 9669 section 5.3). */
  | {
      readonly kind: 'atomic';
      readonly operator: AtomicOperator;
      readonly fetch: boolean;
      readonly size: 'u32' | 'u64';
      readonly base: Register;
      readonly offset: number;
      readonly source: Register;
    }
  /** `r1 = atomic64_xchg(...)`: what was there comes back in `source`. */
  | {
      readonly kind: 'exchange';
      readonly size: 'u32' | 'u64';
      readonly base: Register;
      readonly offset: number;
      readonly source: Register;
    }
  /** `r0 = atomic64_cmpxchg(...)`: where r0 is what is there, it becomes `source`; r0 becomes what was there. */
  | {
      readonly kind: 'compare-exchange';
      readonly size: 'u32' | 'u64';
      readonly base: Register;
      readonly offset: number;
      readonly source: Register;
    }
  /** `r1 = load_acquire(...)` (kernel 6.15). */
  | { readonly kind: 'load-acquire'; readonly to: Register; readonly size: Size; readonly base: Register; readonly offset: number }
  /** `store_release(...)` (kernel 6.15). */
  | { readonly kind: 'store-release'; readonly size: Size; readonly base: Register; readonly offset: number; readonly source: Register }
  /** `r0 = *(u16 *)skb[12]`, `skb[r1 + 12]`: from the packet, in the machine's order; where there is no such octet the program ends with 0 (RFC 9669 section 5.5). */
  | { readonly kind: 'packet'; readonly size: 'u8' | 'u16' | 'u32'; readonly offset: number; readonly index?: Register }
  /** `r1 = 0x1122334455667788`: two slots (RFC 9669 section 5.4). */
  | { readonly kind: 'constant'; readonly to: Register; readonly value: bigint }
  /** The address of a map, or of `offset` in the value of an array map with one entry; `map` is a descriptor, or a place in the loader's list of them. */
  | { readonly kind: 'map'; readonly to: Register; readonly map: number; readonly indexed: boolean }
  | { readonly kind: 'map-value'; readonly to: Register; readonly map: number; readonly indexed: boolean; readonly offset: number }
  /** The address of a variable of the kernel, or of the module whose BTF has this descriptor (0: the kernel's own). */
  | { readonly kind: 'kernel-variable'; readonly to: Register; readonly btfId: number; readonly module: number }
  /** The address of a function of this program, for the kernel to call. */
  | { readonly kind: 'function'; readonly to: Register; readonly offset: number }
  /** `if r1 == 0x5 goto pc+3` (RFC 9669 section 4.3). */
  | {
      readonly kind: 'jump';
      readonly comparison: Comparison;
      readonly left: AnyRegister;
      readonly right: AnyRegister | number;
      readonly offset: number;
    }
  | { readonly kind: 'goto'; readonly offset: number }
  /** `gotol`: an offset of 32 bits (kernel 6.6). */
  | { readonly kind: 'goto-long'; readonly offset: number }
  /** Jumps when the program has looped for too long, else goes on: a loop that has one is bounded (kernel 6.9). */
  | { readonly kind: 'may-goto'; readonly offset: number }
  /** A helper by its number (RFC 9669 section 4.3.1). */
  | { readonly kind: 'call'; readonly helper: number }
  /** A function of this program (RFC 9669 section 4.3.2). */
  | { readonly kind: 'call-local'; readonly offset: number }
  /** A function of the kernel by its BTF id; `module` is 0 for the kernel's own, else a place in the loader's list of descriptors. */
  | { readonly kind: 'call-kernel'; readonly btfId: number; readonly module: number }
  | { readonly kind: 'exit' }
  /** What is none of the above, as it came: low word (opcode, registers, offset) and immediate. */
  | { readonly kind: 'unknown'; readonly low: number; readonly immediate: number };
