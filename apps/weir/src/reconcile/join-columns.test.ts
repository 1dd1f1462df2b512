import { expect, test } from 'vitest';
import { joinColumns } from './join-columns.ts';

const four = (...members: readonly (readonly [number, number])[]) => ({
  family: 4 as const,
  count: members.length,
  // Room that is not used.
  words: Uint32Array.from([...members.map(([word]) => word), 99]),
  lengths: Uint8Array.from([...members.map(([, length]) => length), 9]),
});
const six = { family: 6 as const, count: 1, words: Uint32Array.of(1, 2, 3, 4), lengths: Uint8Array.of(64) };

test('columns of one family are put together', () => {
  const joined = joinColumns(4, [four([1, 32], [2, 24]), six, four([3, 8])]);
  expect(joined).toEqual({ family: 4, count: 3, words: Uint32Array.of(1, 2, 3), lengths: Uint8Array.of(32, 24, 8) });
  expect(joinColumns(6, [four([1, 32]), six])).toBe(six);
  expect(joinColumns(6, [four([1, 32])])).toEqual({ family: 6, count: 0, words: new Uint32Array(0), lengths: new Uint8Array(0) });
});
