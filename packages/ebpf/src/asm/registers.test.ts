import { expect, test } from 'vitest';
import * as asm from './index.ts';

test('a register is its number', () => {
  expect([asm.R0, asm.R1, asm.R2, asm.R3, asm.R4, asm.R5, asm.R6, asm.R7, asm.R8, asm.R9, asm.R10]).toEqual([...Array(11).keys()]);
});
