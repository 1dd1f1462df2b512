import { expect, it } from 'vitest';
import { Fights } from './fights.ts';

it('ten at once, then waits that double up to half a minute', () => {
  const fights = new Fights();
  const waits: number[] = [];
  let now = 0;
  for (let i = 0; i < 18; i++) {
    const until = fights.struck('k', now);
    waits.push(until === undefined ? 0 : until - now);
    now = (until ?? now) + 100;
  }
  expect(waits).toEqual([...new Array(10).fill(0), 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

it('what comes while a repair waits does not put it off', () => {
  const fights = new Fights();
  for (let i = 0; i < 10; i++) fights.struck('k', i);
  expect(fights.struck('k', 10)).toBe(1010);
  expect(fights.struck('k', 900)).toBe(1010);
});

it('calm ends it, and another key is not in it', () => {
  const fights = new Fights();
  for (let i = 0; i < 11; i++) fights.struck('k', i);
  expect(fights.struck('other', 11)).toBeUndefined();
  expect(fights.settle(10_000)).toEqual([]);
  expect(fights.settle(20_000)).toEqual(['k', 'other']);
  expect(fights.struck('k', 20_001)).toBeUndefined();
});
