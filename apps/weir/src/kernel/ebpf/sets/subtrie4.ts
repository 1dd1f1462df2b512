import { mask32 } from '@weir/wire/inet';
import { SET_LAYOUT } from '../../../model/set-layout.ts';
import { addCover, BELOW, below, coverOf, hasCover, MANY, NOTHING, nodeEntry, publish, removeCover, slotOf, soleIn } from './entries.ts';
import { lonely4, lonelyLength, lonelyWord } from './lonely.ts';
import type { Subtrie } from './set-trie.ts';
import type { SlotPool } from './slot-pool.ts';

const { firstBits, slotWords } = SET_LAYOUT;

/** Nodes that one member can ask for: those of bits 17, 21, 25 and 29 on. */
const MOST_NODES = 4;

/**
 * IPv4: each entry leads to the node of the next 4 bits, or is itself the one member below it. A set of n members takes at most 2n slots: four for each two that share 28 bits with each
 * other and 16 with no other. Members that are spread need none until they meet in the first 16 bits.
 */
export class Subtrie4 implements Subtrie {
  readonly mostSlots: number = MOST_NODES;
  readonly #words: Int32Array;
  readonly #pool: SlotPool;
  /** The entries that led to the node at hand. */
  readonly #path = new Int32Array(MOST_NODES + 1);

  constructor(words: Int32Array, pool: SlotPool) {
    this.#words = words;
    this.#pool = pool;
  }

  add(w0: number, _w1: number, _w2: number, _w3: number, length: number): boolean {
    const words = this.#words;
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
      const node = had < 0 ? this.#part(at, depth, entry) : slotOf(had);
      if (length - depth <= 4) return addCover(words, nodeAt(node, w0, depth), 1 << (4 - (length - depth)), 1 << (length - depth - 1));
      at = nodeAt(node, w0, depth);
    }
  }

  /** A node in the place of the one member below an entry, with that member in it. */
  #part(at: number, depth: number, entry: number): number {
    const words = this.#words;
    const node = this.#pool.take();
    this.#put(node, depth, below(entry));
    publish(words, at, coverOf(entry) | nodeEntry(node));
    return node;
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
    const words = this.#words;
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
      const node = slotOf(had);
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
      const node = slotOf(below(entry));
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
      this.#pool.release(node);
    }
  }

  has(w0: number, _w1: number, _w2: number, _w3: number, length: number): boolean {
    const words = this.#words;
    let at = w0 >>> 16;
    for (let depth: number = firstBits; ; depth += 4) {
      const had = below(words[at] as number);
      if (had <= 0) return had !== 0 && had === lonely4(w0, length);
      if (length - depth <= 4)
        return hasCover(words, nodeAt(slotOf(had), w0, depth), 1 << (4 - (length - depth)), 1 << (length - depth - 1));
      at = nodeAt(slotOf(had), w0, depth);
    }
  }

  covers(w0: number): boolean {
    let at = w0 >>> 16;
    for (let depth: number = firstBits; ; depth += 4) {
      const entry = this.#words[at] as number;
      if (coverOf(entry) !== 0) return true;
      if (entry === 0) return false;
      if (entry < 0) return ((w0 ^ lonelyWord(entry)) & 0xffff) >>> (32 - lonelyLength(entry)) === 0;
      at = nodeAt(slotOf(entry), w0, depth);
    }
  }
}

/** The entry for the 4 bits after `depth` of an address. */
function nodeAt(node: number, w0: number, depth: number): number {
  return node * slotWords + ((w0 >>> (28 - depth)) & 15);
}
