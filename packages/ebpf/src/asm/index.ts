/** Instructions of eBPF as data: assembled from labels and symbols, and printed. */
export { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, type Register } from './registers.ts';
