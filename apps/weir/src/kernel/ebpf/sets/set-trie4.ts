import { mask32 } from '@weir/wire/inet';
import { SET_LAYOUT } from '../../../model/set-layout.ts';
import {
  addCover,
  addShort,
  BELOW,
  below,
  coverOf,
  hasCover,
  MANY,
  NOTHING,
  nodeEntry,
  publish,
  removeCover,
  removeShort,
  slotOf,
  soleIn,
} from './entries.ts';
import { lonely4, lonelyLength, lonelyWord } from './lonely.ts';
import type { Added, SetTrie } from './set-trie.ts';
import type { SlotPool } from './slot-pool.ts';
import { ALL, NONE, nodeBehind, summarise, summaryOf } from './summary.ts';

const { firstBits, shortWords, slotWords } = SET_LAYOUT;

/** Nodes that one member can ask for: those of bits 17, 21, 25 and 29 on. */
const MOST_NODES = 4;
/** And the summary. */
const MOST_SLOTS = MOST_NODES + 1;

/**
 * IPv4: each entry leads to the node of the next 4 bits, or is itself the one member below it. Before the node after 16 bits lies a summary of it, which answers for nearly all addresses. A
 * set of n members takes at most 2.5n slots: five for each two that share 28 bits with each other and 16 with no other. Members that are spread need none until they meet in the
 * first 16 bits.
 */
export class SetTrie4 implements SetTrie {
  readonly family = 4;
  readonly pool: SlotPool;
  readonly #words: Int32Array;
  /** The entries that led to the node at hand. */
  readonly #path = new Int32Array(MOST_NODES + 1);
  #size: number;

  /** Memory as `writeHeader` or a trie before has left it; `size` says how many members it has. */
  constructor(words: Int32Array, pool: SlotPool, size: number) {
    this.#words = words;
    this.pool = pool;
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  add(w0: number, _w1: number, _w2: number, _w3: number, length: number): Added {
    if (length > firstBits && (this.pool.available < MOST_SLOTS || !this.pool.hasPair)) return 'full';
    if (!this.#add(w0, length)) return 'there';
    this.#summarise(w0, length);
    this.#size++;
    return 'added';
  }

  #add(w0: number, length: number): boolean {
    const words = this.#words;
    if (length <= 8) return addShort(words, w0, length);
    if (length <= firstBits) return addCover(words, w0 >>> 16, 1 << (16 - length), 1 << (length - 9));
    const lonely = lonely4(w0, length);
    let at = w0 >>> 16;
    for (let depth: number = firstBits; ; depth += 4) {
      const entry = words[at] as number;
      const had = below(entry);
      if (had === 0) {
        publish(words, at, entry | lonely);
        return true;
      }
      if (had === lonely) return false;
      const node = had < 0 ? this.#part(at, depth, entry) : nodeOf(had, depth);
      if (length - depth <= 4) return addCover(words, nodeAt(node, w0, depth), 1 << (4 - (length - depth)), 1 << (length - depth - 1));
      at = nodeAt(node, w0, depth);
    }
  }

  /** A node in the place of the one member below an entry, with that member in it. */
  #part(at: number, depth: number, entry: number): number {
    const words = this.#words;
    const first = depth === firstBits;
    const slot = first ? this.pool.takePair() : this.pool.take();
    const node = first ? nodeBehind(slot) : slot;
    this.#put(node, depth, below(entry));
    if (first) summarise(words, slot, 0, 16);
    publish(words, at, coverOf(entry) | nodeEntry(slot));
    return node;
  }

  /** Brings the summary in line with a member that was added or removed, where there is one. */
  #summarise(w0: number, length: number): void {
    const had = below(this.#words[w0 >>> 16] as number);
    if (length > firstBits && had > 0) summarise(this.#words, slotOf(had), (w0 >>> 12) & 15, length < 20 ? 1 << (20 - length) : 1);
  }

  /** Writes a member into a node that nothing leads to yet. */
  #put(node: number, depth: number, lonely: number): void {
    const words = this.#words;
    const value = lonelyWord(lonely);
    const length = lonelyLength(lonely);
    const first = nodeAt(node, value, depth);
    if (length - depth > 4) words[first] = lonely;
    else for (let at = first; at < first + (1 << (4 - (length - depth))); at++) words[at] = 1 << (length - depth - 1);
  }

  remove(w0: number, _w1: number, _w2: number, _w3: number, length: number): boolean {
    if (!this.#remove(w0, length)) return false;
    this.#summarise(w0, length);
    this.#size--;
    return true;
  }

  #remove(w0: number, length: number): boolean {
    const words = this.#words;
    if (length <= 8) return removeShort(words, w0, length);
    if (length <= firstBits) return removeCover(words, w0 >>> 16, 1 << (16 - length), 1 << (length - 9));
    let at = w0 >>> 16;
    for (let depth: number = firstBits, steps = 0; ; depth += 4, steps++) {
      const entry = words[at] as number;
      const had = below(entry);
      this.#path[steps] = at;
      if (had <= 0) {
        if (had === 0 || had !== lonely4(w0, length)) return false;
        publish(words, at, coverOf(entry));
        this.#prune(w0, steps - 1);
        return true;
      }
      const node = nodeOf(had, depth);
      if (length - depth <= 4) {
        if (!removeCover(words, nodeAt(node, w0, depth), 1 << (4 - (length - depth)), 1 << (length - depth - 1))) return false;
        this.#prune(w0, steps);
        return true;
      }
      at = nodeAt(node, w0, depth);
    }
  }

  /** Takes out nodes that have at most one member, from the one that the entry `step` of the path leads to upwards. */
  #prune(w0: number, from: number): void {
    const words = this.#words;
    for (let step = from; step >= 0; step--) {
      const at = this.#path[step] as number;
      const entry = words[at] as number;
      const node = nodeOf(below(entry), firstBits + 4 * step);
      const sole = soleIn(words, node);
      if (sole === MANY) return;
      let left = 0;
      if (sole !== NOTHING) {
        const index = sole >> 3;
        const part = sole & 7;
        const depth = firstBits + 4 * step;
        left = below(words[node * slotWords + index] as number);
        if (part === BELOW && left > 0) return;
        if (part !== BELOW) left = lonely4((w0 & mask32(depth)) | (index << (28 - depth)), depth + 1 + part);
      }
      publish(words, at, coverOf(entry) | left);
      if (step === 0) this.pool.releasePair(slotOf(below(entry)));
      else this.pool.release(node);
    }
  }

  has(w0: number, _w1: number, _w2: number, _w3: number, length: number): boolean {
    const words = this.#words;
    if (length <= 8) return hasCover(words, shortWords + (w0 >>> 24), 1 << (8 - length), 1 << length);
    if (length <= firstBits) return hasCover(words, w0 >>> 16, 1 << (16 - length), 1 << (length - 9));
    let at = w0 >>> 16;
    for (let depth: number = firstBits; ; depth += 4) {
      const had = below(words[at] as number);
      if (had <= 0) return had !== 0 && had === lonely4(w0, length);
      if (length - depth <= 4)
        return hasCover(words, nodeAt(nodeOf(had, depth), w0, depth), 1 << (4 - (length - depth)), 1 << (length - depth - 1));
      at = nodeAt(nodeOf(had, depth), w0, depth);
    }
  }

  covers(w0: number): boolean {
    let at = w0 >>> 16;
    for (let depth: number = firstBits; ; depth += 4) {
      const entry = this.#words[at] as number;
      if (coverOf(entry) !== 0) return true;
      if (entry === 0) return false;
      if (entry < 0) return ((w0 ^ lonelyWord(entry)) & 0xffff) >>> (32 - lonelyLength(entry)) === 0;
      const summary = depth === firstBits ? summaryOf(this.#words, slotOf(entry), w0) : undefined;
      if (summary === NONE || summary === ALL) return summary === ALL;
      at = nodeAt(nodeOf(entry, depth), w0, depth);
    }
  }
}

/** The node that an entry after `depth` bits leads to. */
function nodeOf(entry: number, depth: number): number {
  return depth === firstBits ? nodeBehind(slotOf(entry)) : slotOf(entry);
}

/** The entry for the 4 bits after `depth` of an address. */
function nodeAt(node: number, w0: number, depth: number): number {
  return node * slotWords + ((w0 >>> (28 - depth)) & 15);
}
