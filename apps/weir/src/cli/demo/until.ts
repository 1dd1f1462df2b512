import { setTimeout as sleep } from 'node:timers/promises';
import { CliError, EXIT } from '../exit.ts';

/** Asks every 20 ms until `check` is true. CliError after `timeoutMs`; an AbortError as soon as `signal` says so. */
export async function until(what: string, signal: AbortSignal, timeoutMs: number, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await check())) {
    if (performance.now() > deadline) throw new CliError(EXIT.error, `waited ${timeoutMs / 1000} s for ${what}`);
    await sleep(20, undefined, { signal });
  }
}
