import { MessageChannel } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { atOnce, bitByBit, type Steps } from './in-steps.ts';

/** Steps that take longer together than other work is to wait. */
function* slow(count: number, log: string[]): Generator<undefined, number> {
  for (let i = 0; i < count; i++) {
    const until = performance.now() + 3;
    while (performance.now() < until);
    log.push(`step ${i}`);
    yield;
  }
  return count;
}

test('at once is what the last step gives', () => {
  const steps: Steps<number> = slow(2, []);
  expect(atOnce(steps)).toBe(2);
});

test('a message that comes meanwhile is handled between steps', async () => {
  const { port1, port2 } = new MessageChannel();
  const log: string[] = [];
  const received = new Promise<void>((resolve) => {
    port2.once('message', () => {
      log.push('message');
      resolve();
    });
  });
  const done = bitByBit(slow(40, log));
  port1.postMessage('');
  expect(await done).toBe(40);
  await received;
  port1.close();
  expect(log.indexOf('message')).toBeGreaterThan(0);
  expect(log.indexOf('message')).toBeLessThan(20);
});
