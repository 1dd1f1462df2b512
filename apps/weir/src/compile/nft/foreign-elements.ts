import { bitsOf, type Family, type Ip, PrefixTable, PrefixTrie, rangePrefixes } from '@weir/wire/inet';

/**
 * Elements of one kernel set that Weir did not add: ranges of addresses, apart from each other, both ends included. A range is known by its first
 * address. It need not be a prefix; it is kept as the fewest prefixes that make it up, so that overlap is a question to a trie. Memory grows with the elements that others add.
 */
export class ForeignElements {
  readonly #family: Family;
  /** First addresses, as hosts; the last address of range `id` is at `id * stride` in `#lasts`. */
  readonly #firsts: PrefixTable;
  readonly #stride: 1 | 4;
  #lasts: Uint32Array = new Uint32Array(64);
  readonly #parts: PrefixTrie;

  constructor(family: Family) {
    this.#family = family;
    this.#stride = family === 4 ? 1 : 4;
    this.#firsts = new PrefixTable(family, 16);
    this.#parts = new PrefixTrie(family, 16);
  }

  /** Ranges. */
  get size(): number {
    return this.#firsts.size;
  }

  /** Adds a range; one with the same first address is replaced. Returns the prefixes that make it up. */
  add(first: Ip, last: Ip): readonly Part[] {
    this.remove(first);
    const id = this.#firsts.intern(first.w0, first.w1, first.w2, first.w3, bitsOf(this.#family));
    const at = id * this.#stride;
    if (at + this.#stride > this.#lasts.length) {
      const grown = new Uint32Array(Math.max(this.#lasts.length * 2, at + this.#stride));
      grown.set(this.#lasts);
      this.#lasts = grown;
    }
    this.#lasts[at] = last.w0;
    if (this.#stride === 4) {
      this.#lasts[at + 1] = last.w1;
      this.#lasts[at + 2] = last.w2;
      this.#lasts[at + 3] = last.w3;
    }
    const parts = rangePrefixes(first, last);
    for (const p of parts) this.#parts.intern(p.w0, p.w1, p.w2, p.w3, p.length);
    return parts;
  }

  /** Takes out the range that begins at `first`; returns the prefixes that made it up, none when there is no such range. */
  remove(first: Ip): readonly Part[] {
    const id = this.#firsts.find(first.w0, first.w1, first.w2, first.w3, bitsOf(this.#family));
    if (id < 0) return [];
    const at = id * this.#stride;
    const word = (j: number): number => (j < this.#stride ? (this.#lasts[at + j] as number) : 0);
    const parts = rangePrefixes(first, { family: this.#family, w0: word(0), w1: word(1), w2: word(2), w3: word(3) });
    for (const p of parts) {
      const part = this.#parts.find(p.w0, p.w1, p.w2, p.w3, p.length);
      if (part >= 0) this.#parts.release(part);
    }
    this.#firsts.release(id);
    return parts;
  }

  /** Whether a range shares an address with a prefix. */
  overlaps(w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    return this.#firsts.size > 0 && this.#parts.overlaps(w0, w1, w2, w3, length);
  }
}

/** A prefix of some range. */
export interface Part extends Ip {
  readonly length: number;
}
