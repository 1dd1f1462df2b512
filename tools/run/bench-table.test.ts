import { expect, test } from 'vitest';
import { beside, isInstalled, quantile } from '../../bench/bench.ts';
import { printTable } from '../../bench/table.ts';

test('a table', () => {
  const rows = [
    { peer: 'Weir', rate: 12_345_678, 'p50 ms': 0.123456 },
    { peer: 'another', rate: 3, note: 'not installed' },
  ];
  expect(printTable(rows)).toBe(
    ['peer           rate  p50 ms  note', 'Weir     12,345,678  0.1235', 'another           3          not installed'].join('\n'),
  );
});

test('a peer that is not installed is a row that says so', async () => {
  expect(isInstalled('sh')).toBe(true);
  expect(await beside('X', 'no-such-daemon', async () => ({ peer: 'X', rate: 1 }))).toEqual([
    { peer: 'X', note: 'no-such-daemon is not installed' },
  ]);
  expect(await beside('shell', 'sh', async () => ({ peer: 'shell', rate: 1 }))).toEqual([{ peer: 'shell', rate: 1 }]);
});

test('quantiles', () => {
  const samples = Array.from({ length: 100 }, (_, index) => 99 - index);
  expect([quantile(samples, 0), quantile(samples, 0.5), quantile(samples, 0.99), quantile(samples, 1)]).toEqual([0, 50, 99, 99]);
  expect(() => quantile([], 0.5)).toThrow(RangeError);
});
