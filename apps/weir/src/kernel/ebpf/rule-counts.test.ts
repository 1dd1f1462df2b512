import { expect, test } from 'vitest';
import { carryCounts, noCounts } from './rule-counts.ts';

const columns = (words: number, ...counts: readonly number[]) => ({ words, counts: BigUint64Array.from(counts, BigInt) });

test.each([
  { name: 'the same rules', input: { counts: columns(2, 1, 2, 3, 4), from: ['a', 'b'], to: ['a', 'b'] }, want: columns(2, 1, 2, 3, 4) },
  { name: 'another order', input: { counts: columns(2, 1, 2, 3, 4), from: ['a', 'b'], to: ['b', 'a'] }, want: columns(2, 3, 4, 1, 2) },
  {
    name: 'one new, one gone',
    input: { counts: columns(2, 1, 2, 3, 4), from: ['a', 'b'], to: ['new', 'b'] },
    want: columns(2, 0, 0, 3, 4),
  },
  { name: 'three words', input: { counts: columns(3, 1, 2, 3), from: ['a'], to: ['b', 'a'] }, want: columns(3, 0, 0, 0, 1, 2, 3) },
  { name: 'no rules before', input: { counts: columns(2), from: [], to: ['a'] }, want: noCounts(2, 1) },
])('counts go by refs: $name', ({ input, want }) => {
  expect(carryCounts(input.counts, input.from, input.to)).toEqual(want);
});
