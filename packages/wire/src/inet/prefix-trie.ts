import type { Family } from './ip.ts';
import { mask32, type Prefix, prefixFromWords } from './prefix.ts';

const NONE = -1;

/**
 * A set of prefixes of one family that answers "what covers this" and "what lies under this": a path-compressed binary trie in columns. An entry
 * has a dense id that stays until it is removed; callers keep what they know of it in columns indexed by id. A branch point without an entry takes an id of its
 * own, so at most twice as many ids are in use as there are entries. Costs 17 (IPv4) or 29 (IPv6) bytes an id; there is no object per prefix. Entries are found
 * in at most 32 or 128 steps.
 */
export class PrefixTrie {
  readonly family: Family;
  readonly #stride: 1 | 4;
  #words: Uint32Array;
  #lengths: Uint8Array;
  /** Child under bit 0 at `2*id`, under bit 1 at `2*id+1`. */
  #children: Int32Array;
  #parents: Int32Array;
  /** 1 where the id is an entry, 0 where it is a branch point only. */
  #entries: Uint8Array;
  #root = NONE;
  #size = 0;
  #limit = 0;
  readonly #free: number[] = [];

  constructor(family: Family, capacity = 1024) {
    this.family = family;
    this.#stride = family === 4 ? 1 : 4;
    this.#words = new Uint32Array(capacity * this.#stride);
    this.#lengths = new Uint8Array(capacity);
    this.#children = new Int32Array(capacity * 2);
    this.#parents = new Int32Array(capacity);
    this.#entries = new Uint8Array(capacity);
  }

  /** How many entries there are. */
  get size(): number {
    return this.#size;
  }

  /** One past the highest id in use: the length that a column indexed by id needs. */
  get limit(): number {
    return this.#limit;
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

  /** The id of an entry given by its words (host bits must be clear), or -1. */
  find(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const id = this.#lowest(w0, w1, w2, w3, length);
    return id !== NONE && this.#lengths[id] === length && this.#entries[id] === 1 ? id : NONE;
  }

  /** The id of an entry, made if need be. Host bits must be clear. */
  intern(w0: number, w1: number, w2: number, w3: number, length: number): number {
    let parent = NONE;
    let at = this.#root;
    let shared = 0;
    while (at !== NONE) {
      const own = this.#lengths[at] as number;
      shared = this.#shared(at, w0, w1, w2, w3, Math.min(own, length));
      if (shared < own) break;
      if (own === length) {
        if (this.#entries[at] === 0) {
          this.#entries[at] = 1;
          this.#size++;
        }
        return at;
      }
      parent = at;
      at = this.#children[at * 2 + bit(own, w0, w1, w2, w3)] as number;
    }
    const id = this.#make(w0, w1, w2, w3, length, 1);
    this.#size++;
    if (at === NONE) this.#hang(id, parent);
    else if (shared === length) {
      // The new entry covers what stands here.
      this.#hang(id, parent);
      this.#hang(at, id);
    } else {
      const branch = this.#make(
        (w0 & mask32(shared)) >>> 0,
        (w1 & mask32(shared - 32)) >>> 0,
        (w2 & mask32(shared - 64)) >>> 0,
        (w3 & mask32(shared - 96)) >>> 0,
        shared,
        0,
      );
      this.#hang(branch, parent);
      this.#hang(at, branch);
      this.#hang(id, branch);
    }
    return id;
  }

  /** Removes an entry; its id may be given to another. The caller clears its own columns first. */
  release(id: number): void {
    if (this.#entries[id] !== 1) throw new RangeError(`prefix id ${id} is not an entry`);
    this.#entries[id] = 0;
    this.#size--;
    this.#collapse(id);
  }

  /** The nearest entry that covers entry `id` and is not it, or -1. */
  parent(id: number): number {
    let at = this.#parents[id] as number;
    while (at !== NONE && this.#entries[at] === 0) at = this.#parents[at] as number;
    return at;
  }

  /** The longest entry that covers a prefix (or is it), or -1. `parent` leads on to the others. */
  covering(w0: number, w1: number, w2: number, w3: number, length: number): number {
    let id = this.#lowest(w0, w1, w2, w3, length);
    while (id !== NONE && this.#entries[id] === 0) id = this.#parents[id] as number;
    return id;
  }

  /**
   * Visits the entries that lie in a prefix, itself included where it is one, covers before what they cover, in the order of addresses. `visit` says whether
   * to go on below the entry; it must not add or remove entries.
   */
  under(w0: number, w1: number, w2: number, w3: number, length: number, visit: (id: number) => boolean): void {
    const top = this.#topUnder(w0, w1, w2, w3, length);
    if (top === NONE) return;
    let at = top;
    for (;;) {
      const below = this.#entries[at] === 0 || visit(at);
      const left = this.#children[at * 2] as number;
      const right = this.#children[at * 2 + 1] as number;
      const down = below ? (left !== NONE ? left : right) : NONE;
      if (down !== NONE) {
        at = down;
        continue;
      }
      // Up to the first ancestor whose right side is still to be seen.
      for (;;) {
        if (at === top) return;
        const parent = this.#parents[at] as number;
        const next = this.#children[parent * 2 + 1] as number;
        if (next !== NONE && next !== at) {
          at = next;
          break;
        }
        at = parent;
      }
    }
  }

  /** Whether an entry shares an address with a prefix: covers it, is it, or lies in it. */
  overlaps(w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    if (this.covering(w0, w1, w2, w3, length) !== NONE) return true;
    return this.#topUnder(w0, w1, w2, w3, length) !== NONE;
  }

  /** The topmost node, entry or not, that lies in the prefix. A branch point always has entries below it. */
  #topUnder(w0: number, w1: number, w2: number, w3: number, length: number): number {
    let at = this.#root;
    while (at !== NONE) {
      const own = this.#lengths[at] as number;
      const shared = this.#shared(at, w0, w1, w2, w3, Math.min(own, length));
      if (own >= length) return shared === length ? at : NONE;
      if (shared < own) return NONE;
      at = this.#children[at * 2 + bit(own, w0, w1, w2, w3)] as number;
    }
    return NONE;
  }

  /** The lowest node, entry or not, that covers the prefix, or -1. */
  #lowest(w0: number, w1: number, w2: number, w3: number, length: number): number {
    let found = NONE;
    let at = this.#root;
    while (at !== NONE) {
      const own = this.#lengths[at] as number;
      if (own > length || this.#shared(at, w0, w1, w2, w3, own) < own) break;
      found = at;
      if (own === length) break;
      at = this.#children[at * 2 + bit(own, w0, w1, w2, w3)] as number;
    }
    return found;
  }

  /** How many leading bits node `id` and an address have in common, at most `limit`. */
  #shared(id: number, w0: number, w1: number, w2: number, w3: number, limit: number): number {
    if (this.#stride === 1) return Math.min(limit, Math.clz32((this.#words[id] as number) ^ w0));
    const at = id * 4;
    const words = this.#words;
    let n = Math.clz32((words[at] as number) ^ w0);
    if (n === 32 && limit > 32) {
      n += Math.clz32((words[at + 1] as number) ^ w1);
      if (n === 64 && limit > 64) {
        n += Math.clz32((words[at + 2] as number) ^ w2);
        if (n === 96 && limit > 96) n += Math.clz32((words[at + 3] as number) ^ w3);
      }
    }
    return Math.min(limit, n);
  }

  #make(w0: number, w1: number, w2: number, w3: number, length: number, entry: 0 | 1): number {
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
    this.#children[id * 2] = NONE;
    this.#children[id * 2 + 1] = NONE;
    this.#parents[id] = NONE;
    this.#entries[id] = entry;
    return id;
  }

  /** Puts a node into its place under `parent` (-1: as the root). */
  #hang(id: number, parent: number): void {
    this.#parents[id] = parent;
    if (parent === NONE) this.#root = id;
    else {
      const side = bit(this.#lengths[parent] as number, this.word(id, 0), this.word(id, 1), this.word(id, 2), this.word(id, 3));
      this.#children[parent * 2 + side] = id;
    }
  }

  /** Takes out a node that is no entry and has fewer than two children, then its parent if that has become such a node. */
  #collapse(start: number): void {
    let id = start;
    while (id !== NONE && this.#entries[id] === 0) {
      const left = this.#children[id * 2] as number;
      const right = this.#children[id * 2 + 1] as number;
      if (left !== NONE && right !== NONE) return;
      const parent = this.#parents[id] as number;
      const child = left !== NONE ? left : right;
      if (child !== NONE) this.#hang(child, parent);
      else if (parent === NONE) this.#root = NONE;
      else this.#children[parent * 2 + (this.#children[parent * 2] === id ? 0 : 1)] = NONE;
      this.#free.push(id);
      id = child !== NONE ? NONE : parent;
    }
  }

  #grow(): void {
    const capacity = this.#lengths.length * 2;
    const words = new Uint32Array(capacity * this.#stride);
    words.set(this.#words);
    this.#words = words;
    const lengths = new Uint8Array(capacity);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
    const children = new Int32Array(capacity * 2);
    children.set(this.#children);
    this.#children = children;
    const parents = new Int32Array(capacity);
    parents.set(this.#parents);
    this.#parents = parents;
    const entries = new Uint8Array(capacity);
    entries.set(this.#entries);
    this.#entries = entries;
  }
}

/** Bit `index` of an address, 0 being the most significant. */
function bit(index: number, w0: number, w1: number, w2: number, w3: number): 0 | 1 {
  const word = index < 32 ? w0 : index < 64 ? w1 : index < 96 ? w2 : w3;
  return ((word >>> (31 - (index & 31))) & 1) as 0 | 1;
}
