/**
 * A register of eBPF (RFC 9669 section 2). R0 holds what a function returns, R1 to R5 its arguments; R6 to R9 are kept across calls; R10 is
 * the frame pointer, which is read-only.
 */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

export const R0 = 0;
export const R1 = 1;
export const R2 = 2;
export const R3 = 3;
export const R4 = 4;
export const R5 = 5;
export const R6 = 6;
export const R7 = 7;
export const R8 = 8;
export const R9 = 9;
/** The frame pointer: the stack is the 512 octets below it. */
export const R10 = 10;
