import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pairLists } from './pair-families.ts';

test.each([
  { a: 'abc', b: 'abc', want: ['aa', 'bb', 'cc'] },
  { a: 'abc', b: 'xby', want: ['a-', '-x', 'bb', 'c-', '-y'] },
  { a: '', b: 'x', want: ['-x'] },
  { a: 'abcd', b: 'bd', want: ['a-', 'bb', 'c-', 'dd'] },
])('$a and $b', ({ a, b, want }) => {
  expect(pairLists([...a], [...b], (c) => c).map((p) => `${p.a ?? '-'}${p.b ?? '-'}`)).toEqual(want);
});

test('both lists are in it in their order, and only equals are paired', () => {
  const list = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 });
  fc.assert(
    fc.property(list, list, (a, b) => {
      const pairs = pairLists(a, b, (c) => (c === 'd' ? undefined : c));
      expect(pairs.flatMap((p) => (p.a === undefined ? [] : [p.a]))).toEqual(a);
      expect(pairs.flatMap((p) => (p.b === undefined ? [] : [p.b]))).toEqual(b);
      for (const p of pairs) if (p.a !== undefined && p.b !== undefined) expect([p.a, p.a === 'd']).toEqual([p.b, false]);
    }),
  );
});
