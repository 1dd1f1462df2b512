import { AssemblyError } from './error.ts';

/**
 * The plan that programs keep to.
 *
 * Registers (linux/Documentation/bpf/standardization/abi.rst):
 *
 *     r0        what a function returns; exit code of the program; anything in between
 *     r1 - r5   arguments of a call, and lost by every call, of a helper, a kfunc or a function of the program
 *     r6 - r9   kept across calls: r6 is the context, because `packet` wants it there; r7 to r9 are the compiler's, which names them once
 *     r10       the frame pointer, read-only: the stack is below it
 *
 * Stack: 512 octets below r10, by named slots that `planStack` lays out. What is kept all through a program is planned first; what two parts need at
 * different times is planned twice below that, each with `below` set to the size of the first plan, and then shares its octets. The verifier tracks the
 * stack by aligned groups of eight octets: a value of eight octets that is spilled whole keeps what is known about it.
 */
export const STACK_OCTETS = 512;

/** The registers that calls keep. */
export const KEPT_REGISTERS = ['r6', 'r7', 'r8', 'r9'] as const;
/** The registers that calls lose. */
export const LOST_REGISTERS = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5'] as const;

export interface StackPlan<Name extends string> {
  /** Offsets from r10, all negative. */
  readonly at: Readonly<Record<Name, number>>;
  /** The octets in use, with those that `below` skipped. */
  readonly size: number;
}

/** Octets, or octets and an alignment (a power of two up to 8). Without one it is the largest that divides the size. */
export type StackSlot = number | { readonly octets: number; readonly align: 1 | 2 | 4 | 8 };

/**
 * Lays out slots in the order given, from the frame pointer down, each aligned.
 * @throws AssemblyError stack-size when they do not fit into the 512 octets, operand for a size that is none
 */
export function planStack<Name extends string>(
  slots: Readonly<Record<Name, StackSlot>>,
  { below = 0 }: { below?: number } = {},
): StackPlan<Name> {
  const at: Partial<Record<Name, number>> = {};
  let size = below;
  for (const name of Object.keys(slots) as Name[]) {
    const slot = slots[name];
    const octets = typeof slot === 'number' ? slot : slot.octets;
    if (!Number.isInteger(octets) || octets < 1) throw new AssemblyError('operand', `the stack slot ${name} cannot have ${octets} octets`);
    const align = typeof slot === 'number' ? (octets % 8 === 0 ? 8 : octets % 4 === 0 ? 4 : octets % 2 === 0 ? 2 : 1) : slot.align;
    size = roundUp(size + octets, align);
    if (size > STACK_OCTETS)
      throw new AssemblyError('stack-size', `the stack slot ${name} ends ${size} octets below the frame pointer: 512 is the limit`);
    at[name] = -size;
  }
  return { at: at as Record<Name, number>, size };
}

/**
 * The stack of functions that call each other, outermost first, as the kernel adds it up: each rounded up to 32 octets.
 * @throws AssemblyError stack-size beyond 512 octets, and for a function that makes tail calls under callers with 256 or more
 */
export function checkCallChain(
  frames: readonly { readonly name: string; readonly octets: number; readonly tailCalls?: boolean }[],
): number {
  let depth = 0;
  for (const { name, octets, tailCalls = false } of frames) {
    if (tailCalls && depth >= STACK_OCTETS / 2)
      throw new AssemblyError(
        'stack-size',
        `${name} makes tail calls with ${depth} octets of its callers on the stack: less than 256 is the limit`,
      );
    depth += roundUp(Math.max(octets, 1), 32);
    if (depth > STACK_OCTETS) throw new AssemblyError('stack-size', `${depth} octets are on the stack in ${name}: 512 is the limit`);
  }
  return depth;
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
