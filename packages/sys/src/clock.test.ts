import { uptime } from 'node:os';
import { expect, test } from 'vitest';
import { bootNanoseconds } from './clock.ts';

test('the clock of the machine goes on, and says what the uptime says', () => {
  const first = bootNanoseconds();
  const up = uptime();
  const second = bootNanoseconds();
  expect(second >= first).toBe(true);
  // The uptime counts hundredths of seconds.
  expect(up).toBeGreaterThanOrEqual(Number(first) / 1e9 - 0.02);
  expect(up).toBeLessThanOrEqual(Number(second) / 1e9 + 0.02);
});
