import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Expiry } from './expiry.ts';

const START = 1_000_000;

beforeEach(() => {
  vi.useFakeTimers({ now: START });
});
afterEach(() => vi.useRealTimers());

/** Rules that end at these times; `fail` says whether an attempt fails. */
function rules(ends: readonly number[], fail: () => boolean = () => false): { expiry: Expiry; done: number[]; errors: number[] } {
  const done: number[] = [];
  const errors: number[] = [];
  const expiry = new Expiry({
    next: (after) => ends.find((end) => end > after),
    expire: async () => {
      if (fail()) throw new Error('the kernel is busy');
      done.push(Date.now());
    },
    onError: () => errors.push(Date.now()),
  });
  expiry.wait(START);
  return { expiry, done, errors };
}

test('each at its time', async () => {
  const { done, errors } = rules([START + 500, START + 3_600_000]);
  await vi.advanceTimersByTimeAsync(7_200_000);
  expect([done, errors]).toEqual([[START + 500, START + 3_600_000], []]);
});

test('what fails is tried again, ever more rarely', async () => {
  let failures = 3;
  const { done, errors } = rules([START + 500], () => failures-- > 0);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(errors.map((at) => at - START)).toEqual([500, 1500, 3500]);
  expect(done.map((at) => at - START)).toEqual([7500]);
});

test('it goes by the clock, also when that is set', async () => {
  const { done } = rules([START + 86_400_000]);
  await vi.advanceTimersByTimeAsync(1000);
  vi.setSystemTime(START + 86_400_000);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(done.length).toBe(1);
});

test('nothing after its end', async () => {
  const { expiry, done } = rules([START + 500]);
  expiry.close();
  expiry.wait(START);
  await vi.advanceTimersByTimeAsync(1000);
  expect(done).toEqual([]);
});

test('what ends while rules come into force ends at once', async () => {
  const { expiry, done } = rules([START + 500, START + 2000]);
  await vi.advanceTimersByTimeAsync(100);
  const since = Date.now();
  // It took so long that the first is over by now.
  vi.setSystemTime(START + 800);
  expiry.wait(since);
  await vi.advanceTimersByTimeAsync(10);
  expect(done.length).toBe(1);
  await vi.advanceTimersByTimeAsync(5000);
  expect(done.length).toBe(2);
});

test('what ends while another is taken out is taken out too', async () => {
  const done: number[] = [];
  const ends = [START + 500, START + 600];
  const expiry = new Expiry({
    next: (after) => ends.find((end) => end > after),
    expire: async () => {
      done.push(Date.now() - START);
      await new Promise((resolve) => setTimeout(resolve, 300));
    },
    onError: () => undefined,
  });
  expiry.wait(START);
  await vi.advanceTimersByTimeAsync(5000);
  expect(done).toEqual([500, 801]);
});
