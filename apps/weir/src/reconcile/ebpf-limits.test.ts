import { expect, test } from 'vitest';
import { LimitWatch } from './ebpf-limits.ts';

const at = (refused: number, hook = 'xdp') => ({ hook, admitted: 9, refused });

test('a hook whose buckets are full is told once, and when it is over', () => {
  const watch = new LimitWatch();
  expect(watch.due).toBeUndefined();
  watch.follow([at(5)], 0);
  expect(watch.due).toBe(10_000);
  // What was refused before is no news.
  expect([...watch.look([at(5)], 10_000)]).toEqual([]);
  expect([...watch.look([at(8), at(0, 'tc')], 20_000)]).toMatchObject([['limits xdp', { kind: 'limits-full', subject: 'xdp' }]]);
  expect([...watch.keys]).toEqual(['limits xdp']);
  expect(watch.due).toBe(30_000);
  expect(watch.look([at(9)], 30_000).get('limits xdp')).toBeDefined();
  expect([...watch.look([at(9)], 40_000)]).toEqual([['limits xdp', undefined]]);
  expect([...watch.keys]).toEqual([]);
  // A map that was made anew.
  expect([...watch.look([at(2)], 50_000)]).toEqual([]);
  expect([...watch.look([at(3)], 60_000).keys()]).toEqual(['limits xdp']);
});

test('nothing is looked at where there are no limits', () => {
  const watch = new LimitWatch();
  watch.follow([at(1)], 0);
  expect([...watch.look([at(2)], 5)].length).toBe(1);
  watch.follow([], 6);
  expect([watch.due, watch.keys.size]).toEqual([undefined, 0]);
});
