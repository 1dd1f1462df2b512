import type { Family } from '@weir/wire/inet';
import { SET_LAYOUT } from '../../../model/set-layout.ts';
import { addCover, addShort, hasCover, removeCover, removeShort } from './entries.ts';
import { HostTable } from './host-table.ts';
import { NetworkTable } from './network-table.ts';
import { SlotPool } from './slot-pool.ts';
import { Subtrie4 } from './subtrie4.ts';
import { Subtrie6 } from './subtrie6.ts';

const { firstBits, shortWords } = SET_LAYOUT;

/** `full`: there may be too few slots for it, and nothing has been changed. */
export type Added = 'added' | 'there' | 'full';

/** A member by the words of its address (host bits clear) and its length. */
export type MemberVisitor = (w0: number, w1: number, w2: number, w3: number, length: number) => void;

/** What lies below the entries of the first 16 bits: members of 17 bits or more. */
export interface Subtrie {
  /** Slots that one member can ask for. */
  readonly mostSlots: number;
  /** False when it was there. */
  add(w0: number, w1: number, w2: number, w3: number, length: number): boolean;
  /** False when it was not there. */
  remove(w0: number, w1: number, w2: number, w3: number, length: number): boolean;
  has(w0: number, w1: number, w2: number, w3: number, length: number): boolean;
  /** Whether an address is in a member of any length. */
  covers(w0: number, w1: number, w2: number, w3: number): boolean;
}

/**
 * The members of one family, written into memory that programs look addresses up in at the same time (`model/set-layout.ts`). A change is a few stores, each of which leaves
 * everything that is covered before and after it covered.
 */
export class SetTrie {
  readonly family: Family;
  readonly pool: SlotPool;
  /** Where hosts are, if the memory has room for them besides. */
  readonly hosts: HostTable | undefined;
  /** If the memory has room for them. */
  readonly networks: NetworkTable | undefined;
  readonly #words: Int32Array;
  readonly #below: Subtrie;
  #size = 0;
  #hostCount = 0;

  /** Memory as `writeHeader` or a trie before has left it; `count` says which members it has. */
  constructor(words: Int32Array, family: Family) {
    this.family = family;
    this.#words = words;
    this.hosts = family === 6 ? HostTable.open(words) : undefined;
    this.networks = family === 4 && NetworkTable.fits(words) ? new NetworkTable(words) : undefined;
    this.pool = new SlotPool(words, endOfPool(words, family));
    this.#below = family === 4 ? new Subtrie4(words, this.pool) : new Subtrie6(words, this.pool);
  }

  /** Members. */
  get size(): number {
    return this.#size;
  }

  /** Members that are one address. */
  get hostCount(): number {
    return this.#hostCount;
  }

  /** The memory has this member already. */
  count(length: number): void {
    this.#size++;
    if (this.#isHost(length)) this.#hostCount++;
  }

  #isHost(length: number): boolean {
    return length === (this.family === 4 ? 32 : 128);
  }

  add(w0: number, w1: number, w2: number, w3: number, length: number): Added {
    if (this.hosts && length === 128) {
      if (this.hosts.has(w0, w1, w2, w3) || this.#below.has(w0, w1, w2, w3, length)) return 'there';
      if (this.hosts.add(w0, w1, w2, w3)) {
        this.count(length);
        return 'added';
      }
    }
    if (length > firstBits && this.pool.available < this.#below.mostSlots) return 'full';
    if (!this.#add(w0, w1, w2, w3, length)) return 'there';
    this.networks?.update(w0, length);
    this.count(length);
    return 'added';
  }

  #add(w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    if (length <= 8) return addShort(this.#words, w0, length);
    if (length <= firstBits) return addCover(this.#words, w0 >>> 16, 1 << (16 - length), 1 << (length - 9));
    return this.#below.add(w0, w1, w2, w3, length);
  }

  /** False when it was not a member. */
  remove(w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    if (!(length === 128 && this.hosts?.remove(w0, w1, w2, w3))) {
      if (!this.#remove(w0, w1, w2, w3, length)) return false;
      this.networks?.update(w0, length);
    }
    this.#size--;
    if (this.#isHost(length)) this.#hostCount--;
    return true;
  }

  #remove(w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    if (length <= 8) return removeShort(this.#words, w0, length);
    if (length <= firstBits) return removeCover(this.#words, w0 >>> 16, 1 << (16 - length), 1 << (length - 9));
    return this.#below.remove(w0, w1, w2, w3, length);
  }

  /** Whether it is a member. */
  has(w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    if (length <= 8) return hasCover(this.#words, shortWords + (w0 >>> 24), 1 << (8 - length), 1 << length);
    if (length <= firstBits) return hasCover(this.#words, w0 >>> 16, 1 << (16 - length), 1 << (length - 9));
    return (length === 128 && this.hosts?.has(w0, w1, w2, w3)) || this.#below.has(w0, w1, w2, w3, length);
  }

  /** Whether an address is in a member: what programs find. */
  covers(w0: number, w1: number, w2: number, w3: number): boolean {
    const network = this.networks?.stateOf(w0) ?? 'some';
    if (network !== 'some') return network === 'all';
    return (this.hosts?.has(w0, w1, w2, w3) ?? false) || this.#below.covers(w0, w1, w2, w3);
  }

  /** Takes over the members of another, where that needs no look at each: what lies where does not change with the size of the memory. Only for one that has none yet. */
  copy(from: SetTrie): boolean {
    if (this.hosts || from.hosts || from.pool.slots > this.pool.slots) return false;
    this.#words.set(from.#words.subarray(0, endOfPool(from.#words, from.family) * SET_LAYOUT.slotWords));
    this.pool.continue(from.pool);
    this.#size = from.#size;
    this.#hostCount = from.#hostCount;
    this.networks?.update(0, 0);
    return true;
  }

  /** Whether networks and buckets of hosts say what the members are; the rest of the memory is whole. */
  isSound(): boolean {
    return (this.networks?.isSound() ?? true) && (this.hosts?.isSound() ?? true);
  }

  /** No program is running any more that ran when something was given back last. */
  reclaim(): void {
    this.pool.reclaim();
    this.hosts?.reclaim();
  }
}

/** The slot behind the last of the pool. */
export function endOfPool(words: Int32Array, family: Family): number {
  const slots = words.length / SET_LAYOUT.slotWords;
  if (family === 4) return NetworkTable.fits(words) ? slots - SET_LAYOUT.networksOctets / SET_LAYOUT.slotOctets : slots;
  return HostTable.firstBucket(words) ?? slots;
}

/** Marks memory of zeros as an empty set; `homes`: buckets that hosts get, of IPv6. */
export function writeHeader(words: Int32Array, family: Family, homes = 0): void {
  const at = SET_LAYOUT.headerSlot * SET_LAYOUT.slotWords;
  words[at + 1] = SET_LAYOUT.version;
  words[at + 2] = family;
  if (homes > 0) HostTable.writeHeader(words, homes);
  words[at] = SET_LAYOUT.magic;
}

export function isHeader(words: Int32Array, family: Family): boolean {
  const at = SET_LAYOUT.headerSlot * SET_LAYOUT.slotWords;
  if (words[at] !== SET_LAYOUT.magic || words[at + 1] !== SET_LAYOUT.version || words[at + 2] !== family) return false;
  return family === 4 || HostTable.isHeader(words);
}
