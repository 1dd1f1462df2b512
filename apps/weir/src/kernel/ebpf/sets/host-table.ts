import { randomFillSync } from 'node:crypto';
import { SET_LAYOUT } from '../../../model/set-layout.ts';
import { publish } from './entries.ts';
import { swap32 } from './record.ts';

const { headerSlot, slotWords, slotOctets, poolSlot, header, bucket, finalMultiplier } = SET_LAYOUT;

const HOSTS_AT = headerSlot * slotWords + header.hostsAt / 4;
const HOMES = headerSlot * slotWords + header.homes / 4;
const MULTIPLIERS = headerSlot * slotWords + header.multipliers / 4;
const USED = bucket.used / 4;
const PASSED = bucket.passed / 4;
const PER_BUCKET = bucket.hosts;
const ALL_PLACES = (1 << PER_BUCKET) - 1;
/** Buckets behind the last home, in which those that find no room there are. */
const BEHIND = bucket.probes - 1;

/**
 * Members of IPv6 that are one address, by its hash: a look-up reads one line of the cache, or a few. What was removed stays as it was, and is not used again, until `reclaim`. The hash
 * is another one for each map, so that nobody can choose addresses that meet; where they meet all the same there is the trie. Costs an octet for each bucket.
 */
export class HostTable {
  readonly #words: Int32Array;
  /** Word of the first bucket. */
  readonly #first: number;
  readonly #homes: number;
  /** By bucket: the places that were given back. */
  readonly #resting: Uint8Array;
  #restingCount = 0;
  #size = 0;

  private constructor(words: Int32Array, firstSlot: number) {
    this.#words = words;
    this.#first = firstSlot * slotWords;
    this.#homes = words[HOMES] as number;
    this.#resting = new Uint8Array(this.#homes + BEHIND);
  }

  /** Undefined where the header of the memory says that there is none. */
  static open(words: Int32Array): HostTable | undefined {
    const first = HostTable.firstBucket(words);
    return first === undefined ? undefined : new HostTable(words, first);
  }

  /** The slot that it begins with. */
  static firstBucket(words: Int32Array): number | undefined {
    const at = words[HOSTS_AT] as number;
    return at === 0 ? undefined : at / slotOctets;
  }

  static writeHeader(words: Int32Array, homes: number): void {
    words[HOSTS_AT] = 4 * words.length - (homes + BEHIND) * slotOctets;
    words[HOMES] = homes;
    const random = randomFillSync(new Int32Array(4));
    for (const [i, one] of random.entries()) words[MULTIPLIERS + i] = one | 1;
  }

  /** Whether what the header says can be. */
  static isHeader(words: Int32Array): boolean {
    const at = words[HOSTS_AT] as number;
    const homes = words[HOMES] as number;
    if (at === 0) return homes === 0;
    return homes > 0 && at === 4 * words.length - (homes + BEHIND) * slotOctets && at >= poolSlot * slotOctets;
  }

  /** Members that are here. */
  get size(): number {
    return this.#size;
  }

  /** Places for members. */
  get places(): number {
    return this.#resting.length * PER_BUCKET;
  }

  /** Places that were given back. */
  get resting(): number {
    return this.#restingCount;
  }

  has(w0: number, w1: number, w2: number, w3: number): boolean {
    return this.#find(w0, w1, w2, w3) >= 0;
  }

  /** False when there is no room near its home. The caller knows that it is not there. */
  add(w0: number, w1: number, w2: number, w3: number): boolean {
    const words = this.#words;
    const home = this.#home(w0, w1, w2, w3);
    for (let bucketAt = home; bucketAt < home + bucket.probes; bucketAt++) {
      const at = this.#first + bucketAt * slotWords;
      const used = words[at + USED] as number;
      const taken = used | (this.#resting[bucketAt] as number);
      if (taken === ALL_PLACES) continue;
      const place = 31 - Math.clz32(~taken & ALL_PLACES);
      const key = at + 4 * place;
      words[key] = swap32(w0);
      words[key + 1] = swap32(w1);
      words[key + 2] = swap32(w2);
      words[key + 3] = swap32(w3);
      publish(words, at + USED, used | (1 << place));
      this.#pass(home, bucketAt, 1);
      this.#size++;
      return true;
    }
    return false;
  }

  /** False when it was not there. */
  remove(w0: number, w1: number, w2: number, w3: number): boolean {
    const found = this.#find(w0, w1, w2, w3);
    if (found < 0) return false;
    const bucketAt = Math.floor(found / PER_BUCKET);
    const bit = 1 << (found % PER_BUCKET);
    const at = this.#first + bucketAt * slotWords + USED;
    publish(this.#words, at, (this.#words[at] as number) & ~bit);
    this.#resting[bucketAt] = (this.#resting[bucketAt] as number) | bit;
    this.#restingCount++;
    this.#pass(this.#home(w0, w1, w2, w3), bucketAt, -1);
    this.#size--;
    return true;
  }

  /** Tells the buckets before one that a member went past them, or no longer does. */
  #pass(home: number, bucketAt: number, by: number): void {
    for (let at = home; at < bucketAt; at++) {
      const passed = this.#first + at * slotWords + PASSED;
      publish(this.#words, passed, (this.#words[passed] as number) + by);
    }
  }

  /** No program is running any more that ran when a member was removed last. */
  reclaim(): void {
    if (this.#restingCount === 0) return;
    this.#resting.fill(0);
    this.#restingCount = 0;
  }

  /** Gives every member to `visit`; false where a bucket is none, or a member is not where its hash says. Nothing is changed. */
  read(visit: (w0: number, w1: number, w2: number, w3: number) => void): boolean {
    for (let bucketAt = 0; bucketAt < this.#resting.length; bucketAt++) {
      const at = this.#first + bucketAt * slotWords;
      const used = this.#words[at + USED] as number;
      if ((used & ~ALL_PLACES) !== 0) return false;
      for (let place = 0; place < PER_BUCKET; place++) {
        if ((used & (1 << place)) === 0) continue;
        const key = at + 4 * place;
        const home = this.#homeAt(key);
        if (bucketAt < home || bucketAt >= home + bucket.probes) return false;
        const word = (i: number): number => swap32(this.#words[key + i] as number) >>> 0;
        visit(word(0), word(1), word(2), word(3));
      }
    }
    return true;
  }

  /** Takes over what another process left: whatever is free may have been given back a moment ago. */
  restore(): void {
    this.#size = 0;
    for (let bucketAt = 0; bucketAt < this.#resting.length; bucketAt++) {
      const free = ~(this.#words[this.#first + bucketAt * slotWords + USED] as number) & ALL_PLACES;
      this.#resting[bucketAt] = free;
      for (let place = 0; place < PER_BUCKET; place++) {
        if ((free & (1 << place)) === 0) this.#size++;
        else this.#restingCount++;
      }
    }
    this.#eachPassed((at, count) => publish(this.#words, at, count));
  }

  /** Whether each bucket counts those that went past it. */
  isSound(): boolean {
    let sound = true;
    this.#eachPassed(() => {
      sound = false;
    });
    return sound;
  }

  /** The words of buckets that count otherwise, with what is right. */
  #eachPassed(visit: (at: number, count: number) => void): void {
    const passed = new Int32Array(this.#resting.length);
    for (let bucketAt = 0; bucketAt < passed.length; bucketAt++) {
      const at = this.#first + bucketAt * slotWords;
      const used = this.#words[at + USED] as number;
      for (let place = 0; place < PER_BUCKET; place++) {
        if ((used & (1 << place)) === 0) continue;
        for (let before = this.#homeAt(at + 4 * place); before < bucketAt; before++) passed[before] = (passed[before] as number) + 1;
      }
    }
    for (const [bucketAt, count] of passed.entries()) {
      const at = this.#first + bucketAt * slotWords + PASSED;
      if (this.#words[at] !== count) visit(at, count);
    }
  }

  /** The number of its place, -1 where it has none: as programs look. */
  #find(w0: number, w1: number, w2: number, w3: number): number {
    const words = this.#words;
    const home = this.#home(w0, w1, w2, w3);
    const [k0, k1, k2, k3] = [swap32(w0), swap32(w1), swap32(w2), swap32(w3)];
    for (let bucketAt = home; bucketAt < home + bucket.probes; bucketAt++) {
      const at = this.#first + bucketAt * slotWords;
      const used = words[at + USED] as number;
      for (let place = 0, key = at; place < PER_BUCKET; place++, key += 4)
        if (words[key + 3] === k3 && words[key + 2] === k2 && words[key + 1] === k1 && words[key] === k0 && used & (1 << place))
          return bucketAt * PER_BUCKET + place;
      if (words[at + PASSED] === 0) return -1;
    }
    return -1;
  }

  #homeAt(key: number): number {
    const words = this.#words;
    return this.#homeOf(words[key] as number, words[key + 1] as number, words[key + 2] as number, words[key + 3] as number);
  }

  #home(w0: number, w1: number, w2: number, w3: number): number {
    return this.#homeOf(swap32(w0), swap32(w1), swap32(w2), swap32(w3));
  }

  /** Of the words as packets have them. */
  #homeOf(k0: number, k1: number, k2: number, k3: number): number {
    const words = this.#words;
    let hash = Math.imul(k0, words[MULTIPLIERS] as number) + Math.imul(k1, words[MULTIPLIERS + 1] as number);
    hash += Math.imul(k2, words[MULTIPLIERS + 2] as number) + Math.imul(k3, words[MULTIPLIERS + 3] as number);
    hash = Math.imul((hash | 0) ^ ((hash | 0) >>> 15), finalMultiplier) >>> 0;
    // (hash * homes) >>> 32, in parts that a number has exactly.
    const low = Math.floor(((hash & 0xffff) * this.#homes) / 0x1_0000);
    return Math.floor(((hash >>> 16) * this.#homes + low) / 0x1_0000);
  }
}
