import type { Family } from './ip.ts';
import { type Prefix, prefixFromWords } from './prefix.ts';
import { hashPrefix4, hashPrefix6, PREFIX_HASH_KEY, type PrefixHashKey } from './prefix-hash.ts';

/** In place of the length of an id that is free. */
const RELEASED = 255;
/** Prefixes that move with each that is interned: all have long before the slots are too few again. */
const SHARE = 16;

/**
 * Interns prefixes of one family as small dense ids, so that everything said about a prefix can live in typed-array columns indexed by
 * id. Open addressing with linear probing; ids of released prefixes are used again. Costs 4 (IPv4) or 16 (IPv6) bytes of address,
 * 1 of length and about 8 of hash slots a prefix; there is no object per prefix. No call takes long: where slots become too few, prefixes
 * move to more of them some at a time, and until then those that have not are found in the old ones.
 */
export class PrefixTable {
  readonly family: Family;
  readonly #stride: 1 | 4;
  readonly #key: Int32Array;
  #words: Uint32Array;
  #lengths: Uint8Array;
  /** id + 1, or 0 for an empty slot. */
  #slots: Int32Array;
  /** The slots before, as they were, for as long as prefixes move: what is in both is the same. */
  #before: Int32Array | undefined;
  /** Ids below have moved, and those that were given out since. */
  #moved = 0;
  #size = 0;
  /** One past the highest id ever given out. */
  #limit = 0;
  readonly #free: number[] = [];

  /** `key` makes the places of prefixes the table's own; by default it is random and the same for all tables of the thread. */
  constructor(family: Family, capacity = 1024, key: PrefixHashKey = PREFIX_HASH_KEY) {
    this.family = family;
    this.#key = key[family];
    this.#stride = family === 4 ? 1 : 4;
    this.#words = new Uint32Array(capacity * this.#stride);
    this.#lengths = new Uint8Array(capacity);
    let slots = 16;
    while (slots < capacity * 2) slots *= 2;
    this.#slots = new Int32Array(slots);
  }

  /** How many prefixes are interned now. */
  get size(): number {
    return this.#size;
  }

  /** One past the highest id in use: the length that a column indexed by id needs. */
  get limit(): number {
    return this.#limit;
  }

  #hash(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const key = this.#key;
    return this.#stride === 1 ? hashPrefix4(key, w0, length) : hashPrefix6(key, w0, w1, w2, w3, length);
  }

  #equal(id: number, w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    if (this.#lengths[id] !== length) return false;
    const words = this.#words;
    if (this.#stride === 1) return words[id] === w0;
    const at = id * 4;
    return words[at] === w0 && words[at + 1] === w1 && words[at + 2] === w2 && words[at + 3] === w3;
  }

  /** The id of a prefix given by its words (host bits must be clear), or -1. */
  find(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const hash = this.#hash(w0, w1, w2, w3, length);
    const id = this.#probe(this.#slots, hash, w0, w1, w2, w3, length);
    return id >= 0 || this.#before === undefined ? id : this.#probe(this.#before, hash, w0, w1, w2, w3, length);
  }

  #probe(slots: Int32Array, hash: number, w0: number, w1: number, w2: number, w3: number, length: number): number {
    const mask = slots.length - 1;
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const entry = slots[i] as number;
      if (entry === 0) return -1;
      if (this.#equal(entry - 1, w0, w1, w2, w3, length)) return entry - 1;
    }
  }

  /** The id of a prefix, made if need be. Host bits must be clear. */
  intern(w0: number, w1: number, w2: number, w3: number, length: number): number {
    if (this.#before !== undefined) this.#move();
    else if (this.#size * 2 >= this.#slots.length) this.#enlarge();
    const hash = this.#hash(w0, w1, w2, w3, length);
    const slots = this.#slots;
    const mask = slots.length - 1;
    let i = hash & mask;
    for (; ; i = (i + 1) & mask) {
      const entry = slots[i] as number;
      if (entry === 0) break;
      if (this.#equal(entry - 1, w0, w1, w2, w3, length)) return entry - 1;
    }
    if (this.#before !== undefined) {
      const there = this.#probe(this.#before, hash, w0, w1, w2, w3, length);
      if (there >= 0) return there;
    }
    const id = this.#free.pop() ?? this.#limit++;
    if (id >= this.#lengths.length) this.#grow();
    if (this.#stride === 1) this.#words[id] = w0;
    else {
      const at = id * 4;
      this.#words[at] = w0;
      this.#words[at + 1] = w1;
      this.#words[at + 2] = w2;
      this.#words[at + 3] = w3;
    }
    this.#lengths[id] = length;
    slots[i] = id + 1;
    this.#size++;
    return id;
  }

  findPrefix(p: Prefix): number {
    return p.family === this.family ? this.find(p.w0, p.w1, p.w2, p.w3, p.length) : -1;
  }

  internPrefix(p: Prefix): number {
    if (p.family !== this.family) throw new RangeError(`IPv${p.family} prefix in a table of IPv${this.family}`);
    return this.intern(p.w0, p.w1, p.w2, p.w3, p.length);
  }

  /** Word `index` (0-3) of the address of `id`. */
  word(id: number, index: number): number {
    if (this.#stride === 1) return index === 0 ? (this.#words[id] as number) : 0;
    return this.#words[id * 4 + index] as number;
  }

  length(id: number): number {
    return this.#lengths[id] as number;
  }

  prefix(id: number): Prefix {
    return prefixFromWords(this.family, this.word(id, 0), this.word(id, 1), this.word(id, 2), this.word(id, 3), this.length(id));
  }

  /** Forgets a prefix; its id may be given to another. The caller clears its own columns first. */
  release(id: number): void {
    if (this.#lengths[id] === RELEASED || id >= this.#limit) throw new RangeError(`prefix id ${id} is not interned`);
    this.#takeOut(id);
    this.#lengths[id] = RELEASED;
    this.#size--;
    this.#free.push(id);
  }

  /** Out of the slots. Where it has not moved it is in those before alone, which stay as they are: there its length says that it is free. */
  #takeOut(id: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let i = this.#home(id) & mask;
    for (; slots[i] !== id + 1; i = (i + 1) & mask) if (slots[i] === 0) return;
    for (let j = (i + 1) & mask; ; j = (j + 1) & mask) {
      const entry = slots[j] as number;
      if (entry === 0) break;
      const home = this.#home(entry - 1) & mask;
      if (((j - home) & mask) >= ((j - i) & mask)) {
        slots[i] = entry;
        i = j;
      }
    }
    slots[i] = 0;
  }

  #home(id: number): number {
    return this.#hash(this.word(id, 0), this.word(id, 1), this.word(id, 2), this.word(id, 3), this.length(id));
  }

  #grow(): void {
    const words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    const lengths = new Uint8Array(this.#lengths.length * 2);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
  }

  #enlarge(): void {
    const { length } = this.#slots;
    this.#before = this.#slots;
    this.#moved = 0;
    // Small tables grow faster: what is placed anew over the whole growth is a third of the end, not all of it.
    this.#slots = new Int32Array(length < 1 << 18 ? length * 4 : length * 2);
    this.#move();
  }

  /** Places the next ids anew. By id and not by old slot: what a prefix consists of is then read in order of memory. */
  #move(): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    const words = this.#words;
    const lengths = this.#lengths;
    const end = Math.min(this.#limit, this.#moved + SHARE);
    for (let id = this.#moved; id < end; id++) {
      const bits = lengths[id] as number;
      if (bits === RELEASED) continue;
      const at = id * this.#stride;
      let i =
        mask &
        (this.#stride === 1
          ? this.#hash(words[at] as number, 0, 0, 0, bits)
          : this.#hash(words[at] as number, words[at + 1] as number, words[at + 2] as number, words[at + 3] as number, bits));
      // One that was given out since is there.
      while (slots[i] !== 0 && slots[i] !== id + 1) i = (i + 1) & mask;
      slots[i] = id + 1;
    }
    this.#moved = end;
    if (end === this.#limit) this.#before = undefined;
  }
}
