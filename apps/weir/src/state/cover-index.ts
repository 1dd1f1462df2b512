import { comparePrefix, type Family, mask32, type Prefix, PrefixTable } from '@weir/wire/inet';

/**
 * A fixed list of prefixes of one family that answers, for a prefix in columns, whether one of the list covers it, and whether it overlaps
 * any. Cost: one look-up for each length that occurs in the list, and for overlap a binary search.
 */
export class CoverIndex {
  readonly #stride: 1 | 4;
  readonly #table: PrefixTable;
  /** Lengths that occur, ascending. */
  readonly #lengths: readonly number[];
  readonly #sorted: readonly Prefix[];

  constructor(family: Family, prefixes: readonly Prefix[]) {
    const own = prefixes.filter((p) => p.family === family);
    this.#stride = family === 4 ? 1 : 4;
    this.#table = new PrefixTable(family, Math.max(16, own.length));
    for (const p of own) this.#table.internPrefix(p);
    this.#lengths = [...new Set(own.map((p) => p.length))].sort((a, b) => a - b);
    this.#sorted = own.sort(comparePrefix);
  }

  get size(): number {
    return this.#table.size;
  }

  /** Whether a listed prefix covers the one at `words[at ..]` with `length` bits. */
  covers(words: Uint32Array, at: number, length: number): boolean {
    const w0 = words[at] as number;
    if (this.#stride === 1) {
      for (const n of this.#lengths) {
        if (n > length) return false;
        if (this.#table.find((w0 & mask32(n)) >>> 0, 0, 0, 0, n) >= 0) return true;
      }
      return false;
    }
    const w1 = words[at + 1] as number;
    const w2 = words[at + 2] as number;
    const w3 = words[at + 3] as number;
    for (const n of this.#lengths) {
      if (n > length) return false;
      const id = this.#table.find(
        (w0 & mask32(n)) >>> 0,
        (w1 & mask32(n - 32)) >>> 0,
        (w2 & mask32(n - 64)) >>> 0,
        (w3 & mask32(n - 96)) >>> 0,
        n,
      );
      if (id >= 0) return true;
    }
    return false;
  }

  /** Whether a listed prefix and the one at `words[at ..]` share an address: either covers the other. */
  overlaps(words: Uint32Array, at: number, length: number): boolean {
    if (this.#sorted.length === 0) return false;
    if (this.covers(words, at, length)) return true;
    // The prefixes that it covers follow it in order: the first one that is not before it decides.
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#before(this.#sorted[middle] as Prefix, words, at, length)) low = middle + 1;
      else high = middle;
    }
    const first = this.#sorted[low];
    return first !== undefined && first.length >= length && this.#agrees(first, words, at, length);
  }

  #before(p: Prefix, words: Uint32Array, at: number, length: number): boolean {
    for (let i = 0; i < this.#stride; i++) {
      const difference = word(p, i) - (words[at + i] as number);
      if (difference !== 0) return difference < 0;
    }
    return p.length < length;
  }

  #agrees(p: Prefix, words: Uint32Array, at: number, length: number): boolean {
    for (let i = 0; i < this.#stride; i++) {
      if ((word(p, i) & mask32(length - 32 * i)) >>> 0 !== (words[at + i] as number)) return false;
    }
    return true;
  }
}

function word(p: Prefix, index: number): number {
  return index === 0 ? p.w0 : index === 1 ? p.w1 : index === 2 ? p.w2 : p.w3;
}
