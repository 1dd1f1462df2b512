import { expect, test } from 'vitest';
import { halfOf, isHalf, lower, registerNumber, registerOf } from './registers.ts';

test('a register is its number, and back', () => {
  for (let number = 0; number <= 10; number++) {
    const whole = registerOf(number);
    const half = halfOf(number);
    expect([whole, half]).toEqual([`r${number}`, `w${number}`]);
    if (whole === undefined || half === undefined) throw new Error('no register');
    expect([registerNumber(whole), registerNumber(half), lower(whole), isHalf(whole), isHalf(half)]).toEqual([
      number,
      number,
      half,
      false,
      true,
    ]);
  }
});

test('eleven registers and no more', () => {
  expect([11, 15, -1].map((number) => registerOf(number) ?? halfOf(number))).toEqual([undefined, undefined, undefined]);
});
