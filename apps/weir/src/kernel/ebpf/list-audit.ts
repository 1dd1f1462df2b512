import { createHash } from 'node:crypto';
import type { KernelList } from './kernel-list.ts';

/** Milliseconds between two looks at least. */
const PACE = 10_000;
/** Looking takes at most one part in so many of the time. */
const SHARE = 500;
/** Of larger maps only that they are whole is looked at. Octets. */
const MOST_DIGESTED = 64 * 1024 * 1024;
const KEY = new Uint8Array(4);

/**
 * Looks from time to time whether a list is what this process has made of it: by a digest of all of its map where this process has changed nothing since the last look, and by whether it is whole
 * otherwise. The clock is the caller's, in milliseconds.
 */
export class ListAudit {
  /** Of the last look; undefined where the list has changed since. */
  #digest: string | undefined;
  #due = 0;

  isDue(now: number): boolean {
    return now >= this.#due;
  }

  /** This process changes the list. */
  touch(): void {
    this.#digest = undefined;
  }

  /** False where somebody else has written into it. BpfError. */
  look(list: KernelList, now: number): boolean {
    const start = performance.now();
    const value = list.map.valueBytes <= MOST_DIGESTED ? list.map.lookup(KEY) : undefined;
    const digest = value && createHash('sha1').update(value).digest('hex');
    const same = this.#digest === undefined || digest === this.#digest;
    this.#digest = digest;
    const sound = same && list.isSound();
    this.#due = now + Math.max(PACE, SHARE * (performance.now() - start));
    return sound;
  }
}
