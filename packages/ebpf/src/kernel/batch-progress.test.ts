import { expect, it } from 'vitest';
import { type BatchCall, runBatch } from './batch-progress.ts';

const [E2BIG, EINTR, EAGAIN, EFAULT] = [7, 4, 11, 14];

it.each([
  { name: 'all at once', calls: [{ errno: 0, count: 10 }], from: [0], want: { errno: 0, done: 10 } },
  {
    name: 'interrupted twice',
    calls: [
      { errno: EINTR, count: 4 },
      { errno: EAGAIN, count: 3 },
      { errno: 0, count: 3 },
    ],
    from: [0, 4, 7],
    want: { errno: 0, done: 10 },
  },
  {
    name: 'interrupted before the first entry, with the count as it was',
    calls: [
      { errno: EINTR, count: 10 },
      { errno: EINTR, count: 0 },
      { errno: 0, count: 10 },
    ],
    from: [0, 0, 0],
    want: { errno: 0, done: 10 },
  },
  { name: 'full in the middle', calls: [{ errno: E2BIG, count: 6 }], from: [0], want: { errno: E2BIG, done: 6 } },
  {
    name: 'full after an interruption',
    calls: [
      { errno: EINTR, count: 5 },
      { errno: E2BIG, count: 1 },
    ],
    from: [0, 5],
    want: { errno: E2BIG, done: 6 },
  },
  { name: 'refused as a whole', calls: [{ errno: 22, count: 10 }], from: [0], want: { errno: 22, done: 0 } },
  { name: 'memory that is not there', calls: [{ errno: EFAULT, count: 6 }], from: [0], want: { errno: EFAULT, done: 0 } },
])('$name', ({ calls, from, want }) => {
  const asked: number[] = [];
  const queue: BatchCall[] = [...calls];
  const result = runBatch(10, (at) => {
    asked.push(at);
    return queue.shift() ?? { errno: 5, count: 0 };
  });
  expect([result, asked]).toEqual([want, from]);
});

it('ends when nothing but interruptions comes', () => {
  let calls = 0;
  const result = runBatch(10, () => {
    calls++;
    return { errno: EINTR, count: 10 };
  });
  expect([result, calls]).toEqual([{ errno: EINTR, done: 0 }, 101]);
});
