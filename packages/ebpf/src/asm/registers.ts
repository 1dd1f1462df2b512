/**
 * A register, named as the kernel prints it (numbers: RFC 9669 section 3.1; use: linux/Documentation/bpf/standardization/abi.rst). r0 holds
 * what a function returns, r1 to r5 its arguments; r6 to r9 are kept across calls; r10 is the frame pointer, which is read-only.
 */
export type Register = 'r0' | 'r1' | 'r2' | 'r3' | 'r4' | 'r5' | 'r6' | 'r7' | 'r8' | 'r9' | 'r10';

/** The lower 32 bits of a register. What is written to them clears the upper ones. */
export type HalfRegister = 'w0' | 'w1' | 'w2' | 'w3' | 'w4' | 'w5' | 'w6' | 'w7' | 'w8' | 'w9' | 'w10';

const whole: readonly Register[] = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'r10'];
const half: readonly HalfRegister[] = ['w0', 'w1', 'w2', 'w3', 'w4', 'w5', 'w6', 'w7', 'w8', 'w9', 'w10'];

/** The number that encodes a register, 0 to 10. */
export function registerNumber(register: Register | HalfRegister): number {
  return register.length === 2 ? register.charCodeAt(1) - 0x30 : 10;
}

/** The register of a number; undefined for 11 to 15, which no instruction may name. */
export function registerOf(number: number): Register | undefined {
  return whole[number];
}

export function halfOf(number: number): HalfRegister | undefined {
  return half[number];
}

/** True for w0 to w10. */
export function isHalf(register: Register | HalfRegister): register is HalfRegister {
  return register.charCodeAt(0) === 0x77;
}

const halves: Readonly<Record<Register, HalfRegister>> = {
  r0: 'w0',
  r1: 'w1',
  r2: 'w2',
  r3: 'w3',
  r4: 'w4',
  r5: 'w5',
  r6: 'w6',
  r7: 'w7',
  r8: 'w8',
  r9: 'w9',
  r10: 'w10',
};

/** The lower 32 bits of `register`: w6 for r6. */
export function lower(register: Register): HalfRegister {
  return halves[register];
}
