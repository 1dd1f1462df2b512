import { prefix } from '@weir/wire/inet';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Loads } from './loads.ts';

beforeEach(() => vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }));
afterEach(() => {
  vi.useRealTimers();
});

it('lists that get no pages make room for others, those that go on do not', () => {
  const loads = new Loads();
  const [first, ...others] = Array.from({ length: 4 }, () => loads.begin({ table: 'spammers' }));
  expect(() => loads.begin({ table: 'spammers' })).toThrow('4 lists are being loaded already');
  vi.advanceTimersByTime(4_000);
  for (const load of others) loads.page(load, [prefix('203.0.113.1/32')]);
  vi.advanceTimersByTime(1_500);
  const next = loads.begin({ table: 'spammers' });
  expect(() => loads.take(first as string)).toThrow('nothing of that name');
  expect(() => loads.begin({ table: 'spammers' })).toThrow('4 lists are being loaded already');
  vi.advanceTimersByTime(60_000);
  for (const load of [...others, next]) expect(() => loads.take(load)).toThrow('nothing of that name');
});
