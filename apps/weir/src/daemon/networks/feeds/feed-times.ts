const FIRST_RETRY_MS = 60_000;
const LONGEST_WAIT_MS = 86_400_000;
/** Share of a delay that is left to chance, so that many hosts do not ask at once. */
const JITTER = 0.1;

/** Milliseconds until a feed is tried again: after failures a minute, two, four and so on, no longer than `every`; no sooner than the server asked for, within a day. `chance` is from 0 to 1. */
export function delayAfter(every: number, failures: number, retryAfter: number | undefined, chance: number): number {
  const base = failures === 0 ? every : Math.min(every, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 20));
  const wait = base * (1 + JITTER * (2 * chance - 1));
  return Math.round(Math.max(wait, Math.min(retryAfter ?? 0, LONGEST_WAIT_MS)));
}
