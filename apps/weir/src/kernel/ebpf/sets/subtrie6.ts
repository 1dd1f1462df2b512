import { mask32 } from '@weir/wire/inet';
import { SET_LAYOUT } from '../../../model/set-layout.ts';
import { addCover, BELOW, below, coverOf, hasCover, MANY, NOTHING, nodeEntry, publish, removeCover, slotOf, soleIn } from './entries.ts';
import { recordBits, recordEntry, recordTarget, recordWord, sharedBits, writeRecord } from './record.ts';
import type { Subtrie } from './set-trie.ts';
import type { SlotPool } from './slot-pool.ts';

const { firstBits, slotWords } = SET_LAYOUT;

/** Slots that one member can ask for: a node, the record that leads to it, and its own record. */
const MOST_SLOTS = 3;
/** Nodes on the way to an address. */
const MOST_NODES = (128 - firstBits) / 4;
/** The target of a record whose bits are a member. */
const MEMBER = 1;

/**
 * IPv6: bits that all members of a part have in common are one record, so that there are only nodes where members part, and one record for each member that is alone. A set of n
 * members takes at most 3n slots; members that are neighbours, bits of the same nodes, take less than a tenth of that.
 */
export class Subtrie6 implements Subtrie {
  readonly mostSlots: number = MOST_SLOTS;
  readonly #words: Int32Array;
  readonly #pool: SlotPool;
  /** The way to the node at hand: entries, what they lead to, and how many bits are behind each node. */
  readonly #pathAt = new Int32Array(MOST_NODES);
  readonly #pathNode = new Int32Array(MOST_NODES);
  readonly #pathDepth = new Int32Array(MOST_NODES);

  constructor(words: Int32Array, pool: SlotPool) {
    this.#words = words;
    this.#pool = pool;
  }

  add(w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    const words = this.#words;
    let at = w0 >>> 16;
    for (let depth: number = firstBits; ; ) {
      const entry = words[at] as number;
      const had = below(entry);
      let node = slotOf(had);
      if (had === 0) {
        const own = this.#pool.take();
        writeRecord(words, own, w0, w1, w2, w3, length, MEMBER);
        publish(words, at, entry | recordEntry(own));
        return true;
      }
      if (had < 0) {
        const record = node;
        const bits = recordBits(words, record);
        const shared = sharedBits(words, record, w0, w1, w2, w3);
        const target = recordTarget(words, record);
        if (shared === bits && length > bits && target !== MEMBER) {
          node = slotOf(target);
          depth = bits;
        } else {
          if (target === MEMBER && shared === bits && length === bits) return false;
          const parting = Math.min(shared & ~3, hostDepth(length), target === MEMBER ? hostDepth(bits) : bits);
          node = this.#part(at, depth, record, parting);
          depth = parting;
        }
      }
      if (length - depth <= 4)
        return addCover(words, node * slotWords + nibble(w0, w1, w2, w3, depth), 1 << (4 - length + depth), 1 << (length - depth - 1));
      at = node * slotWords + nibble(w0, w1, w2, w3, depth);
      depth += 4;
    }
  }

  /** Puts a node after `parting` bits between an entry and the record below it, where a member is to come that the record does not lead to. */
  #part(at: number, depth: number, record: number, parting: number): number {
    const words = this.#words;
    const bits = recordBits(words, record);
    const target = recordTarget(words, record);
    const w0 = recordWord(words, record, 0);
    const w1 = recordWord(words, record, 1);
    const w2 = recordWord(words, record, 2);
    const w3 = recordWord(words, record, 3);
    const node = this.#pool.take();
    const index = nibble(w0, w1, w2, w3, parting);
    let stays = false;
    if (target === MEMBER && bits - parting <= 4) {
      const first = node * slotWords + index;
      for (let i = first; i < first + (1 << (4 - bits + parting)); i++) words[i] = 1 << (bits - parting - 1);
    } else if (target !== MEMBER && bits === parting + 4) words[node * slotWords + index] = target;
    else {
      stays = true;
      words[node * slotWords + index] = recordEntry(record);
    }
    let entry = nodeEntry(node);
    if (parting > depth) {
      const skip = this.#pool.take();
      writeRecord(words, skip, w0, w1, w2, w3, parting, entry);
      entry = recordEntry(skip);
    }
    publish(words, at, coverOf(words[at] as number) | entry);
    if (!stays) this.#pool.release(record);
    return node;
  }

  remove(w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    const words = this.#words;
    let at = w0 >>> 16;
    for (let depth: number = firstBits, steps = 0; ; steps++) {
      const entry = words[at] as number;
      const had = below(entry);
      if (had === 0) return false;
      let node = slotOf(had);
      if (had < 0) {
        const bits = recordBits(words, node);
        const target = recordTarget(words, node);
        const led = sharedBits(words, node, w0, w1, w2, w3) === bits;
        if (!led || (target === MEMBER ? length !== bits : length <= bits)) return false;
        if (target === MEMBER) {
          publish(words, at, coverOf(entry));
          this.#pool.release(node);
          this.#prune(w0, w1, w2, w3, steps - 1);
          return true;
        }
        node = slotOf(target);
        depth = bits;
      }
      this.#pathAt[steps] = at;
      this.#pathNode[steps] = node;
      this.#pathDepth[steps] = depth;
      const index = nibble(w0, w1, w2, w3, depth);
      if (length - depth <= 4) {
        if (!removeCover(words, node * slotWords + index, 1 << (4 - length + depth), 1 << (length - depth - 1))) return false;
        this.#prune(w0, w1, w2, w3, steps);
        return true;
      }
      at = node * slotWords + index;
      depth += 4;
    }
  }

  /** Takes out the node of step `step` of the path where nothing parts there any more, then what has become empty above. Without a slot for the record in its place it stays. */
  #prune(w0: number, w1: number, w2: number, w3: number, from: number): void {
    const words = this.#words;
    for (let step = from; step >= 0; step--) {
      const at = this.#pathAt[step] as number;
      const node = this.#pathNode[step] as number;
      const depth = this.#pathDepth[step] as number;
      const entry = words[at] as number;
      const sole = soleIn(words, node);
      if (sole === MANY) return;
      let left = 0;
      if (sole !== NOTHING) {
        const index = sole >> 3;
        left = below(words[node * slotWords + index] as number);
        if ((sole & 7) !== BELOW || left > 0) {
          if (this.#pool.available === 0) return;
          const record = this.#pool.take();
          const bits = (sole & 7) === BELOW ? depth + 4 : depth + 1 + (sole & 7);
          const at4 = depth >>> 5;
          const own = index << (28 - (depth & 31));
          const word = (value: number, i: number): number => (value & mask32(depth - 32 * i)) | (i === at4 ? own : 0);
          const target = (sole & 7) === BELOW ? left : MEMBER;
          writeRecord(words, record, word(w0, 0), word(w1, 1), word(w2, 2), word(w3, 3), bits, target);
          left = recordEntry(record);
        }
      }
      publish(words, at, coverOf(entry) | left);
      if (entry < 0) this.#pool.release(slotOf(below(entry)));
      this.#pool.release(node);
      if (left !== 0) return;
    }
  }

  has(w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    const words = this.#words;
    let at = w0 >>> 16;
    for (let depth: number = firstBits; ; ) {
      const had = below(words[at] as number);
      if (had === 0) return false;
      let node = slotOf(had);
      if (had < 0) {
        const bits = recordBits(words, node);
        const target = recordTarget(words, node);
        if (sharedBits(words, node, w0, w1, w2, w3) < bits || length < bits) return false;
        if (target === MEMBER || length === bits) return target === MEMBER && length === bits;
        node = slotOf(target);
        depth = bits;
      }
      const index = nibble(w0, w1, w2, w3, depth);
      if (length - depth <= 4) return hasCover(words, node * slotWords + index, 1 << (4 - length + depth), 1 << (length - depth - 1));
      at = node * slotWords + index;
      depth += 4;
    }
  }

  covers(w0: number, w1: number, w2: number, w3: number): boolean {
    const words = this.#words;
    let entry = words[w0 >>> 16] as number;
    for (let depth: number = firstBits; ; ) {
      if (coverOf(entry) !== 0) return true;
      if (entry === 0) return false;
      if (entry < 0) {
        const record = slotOf(entry);
        depth = recordBits(words, record);
        if (sharedBits(words, record, w0, w1, w2, w3) < depth) return false;
        entry = recordTarget(words, record);
        if (entry === MEMBER) return true;
      }
      entry = words[slotOf(entry) * slotWords + nibble(w0, w1, w2, w3, depth)] as number;
      depth += 4;
    }
  }
}

/** How many bits are behind the node in which a member of `length` bits has its own. */
function hostDepth(length: number): number {
  return (length - 1) & ~3;
}

/** The 4 bits after `depth`. */
function nibble(w0: number, w1: number, w2: number, w3: number, depth: number): number {
  const word = depth < 32 ? w0 : depth < 64 ? w1 : depth < 96 ? w2 : w3;
  return (word >>> (28 - (depth & 31))) & 15;
}
