import type { Region } from './dimension.ts';

const END6 = (1n << 128n) - 1n;

/** Where the IPv6 values that regions tell apart begin; regions come and go. */
export class AddressStarts {
  readonly #uses = new Map<bigint, number>();
  #starts: readonly bigint[] = [0n];
  #changed = false;

  /** `by`: 1 where the region comes, -1 where it goes. */
  count(region: Region | undefined, by: 1 | -1): void {
    if (!region || region.high.length === 0) return;
    for (const { first, last } of region.high) {
      this.#count(BigInt(first), by);
      if (BigInt(last) < END6) this.#count(BigInt(last) + 1n, by);
    }
  }

  /** 0 and on, ascending; the same list as long as nothing is different. */
  starts(): readonly bigint[] {
    if (!this.#changed) return this.#starts;
    this.#changed = false;
    const made = [...new Set([0n, ...this.#uses.keys()])].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    if (made.length !== this.#starts.length || made.some((start, i) => start !== this.#starts[i])) this.#starts = made;
    return this.#starts;
  }

  #count(start: bigint, by: 1 | -1): void {
    const uses = (this.#uses.get(start) ?? 0) + by;
    if (uses === 0) this.#uses.delete(start);
    else this.#uses.set(start, uses);
    // It has come, or is gone.
    if (uses === 0 || (uses === 1 && by === 1)) this.#changed = true;
  }
}
