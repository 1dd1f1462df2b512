import type { Retry } from './slot.ts';

const FIRST = 100;
const LAST = 30_000;

/** When to try again after `before` did not help: twice as long each time, at most half a minute. */
export function nextRetry(before: Retry | undefined, now: number): Retry {
  const delay = before ? Math.min(before.delay * 2, LAST) : FIRST;
  return { at: now + delay, delay };
}

export function isDue(retry: Retry | undefined, now: number): boolean {
  return retry === undefined || retry.at <= now;
}
