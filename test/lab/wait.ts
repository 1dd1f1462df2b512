import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from './error.ts';

export interface WaitOptions {
  /** Default 60,000: it costs nothing when what is waited for comes. */
  readonly timeoutMs?: number;
  /** Between two attempts; default 20. */
  readonly intervalMs?: number;
}

/**
 * Asks again and again until `check` returns something other than undefined, null or false, and returns that. An exception counts as "not yet".
 * Throws LabError `wait-timeout` with `what` and the last exception.
 */
export async function waitFor<T>(
  what: string,
  check: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  options: WaitOptions = {},
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 60_000;
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value !== undefined && value !== null && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= deadline) {
      const why = last === undefined ? '' : `; last error: ${last instanceof Error ? last.message : String(last)}`;
      throw new LabError('wait-timeout', `waited ${timeoutMs} ms for ${what}${why}`);
    }
    await sleep(options.intervalMs ?? 20);
  }
}
