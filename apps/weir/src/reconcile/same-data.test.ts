import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sameData } from './same-data.ts';

test.each([
  { name: 'numbers', input: [1, 1], want: true },
  { name: 'a number and text', input: [1, '1'], want: false },
  { name: 'what is undefined is not there', input: [{ a: 1, b: undefined }, { a: 1 }], want: true },
  { name: 'what only the second has', input: [{ a: 1 }, { a: 1, b: 2 }], want: false },
  { name: 'what only the first has', input: [{ a: 1, b: 2 }, { a: 1 }], want: false },
  { name: 'octets', input: [Uint8Array.of(1, 2), Uint8Array.of(1, 2)], want: true },
  { name: 'other octets', input: [Uint8Array.of(1, 2), Uint8Array.of(1, 3)], want: false },
  { name: 'octets and a list', input: [Uint8Array.of(1, 2), [1, 2]], want: false },
  { name: 'a list and an object', input: [[1], { 0: 1 }], want: false },
  { name: 'an object and a list', input: [{}, []], want: false },
  { name: 'large integers', input: [{ a: 2n ** 70n }, { a: 2n ** 70n }], want: true },
  { name: 'nothing and an object', input: [null, {}], want: false },
] as const)('$name', ({ input: [a, b], want }) => {
  expect([sameData(a, b), sameData(b, a)]).toEqual([want, want]);
});

test('as JSON says', () => {
  const value = fc.jsonValue({ maxDepth: 3 });
  fc.assert(
    fc.property(value, value, (a, b) => {
      expect(sameData(a, structuredClone(a))).toBe(true);
      if (sameData(a, b)) expect(a).toEqual(b);
    }),
  );
});
