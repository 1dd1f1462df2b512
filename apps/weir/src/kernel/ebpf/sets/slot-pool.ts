import { SET_LAYOUT } from '../../../model/set-layout.ts';

const { slotWords, poolSlot } = SET_LAYOUT;

/**
 * The slots of one set's memory. A slot that is given back may still be read by a program that found its way there before: it rests, unchanged, until `reclaim` says that
 * every such program has ended. Costs 4 octets for each slot that rests or is free again.
 */
export class SlotPool {
  readonly #words: Int32Array;
  readonly #slots: number;
  /** Slots from here on have never been used: they are zeros. */
  #next: number = poolSlot;
  readonly #free: number[] = [];
  #resting: number[] = [];
  /** The first of two slots that lie together. */
  readonly #freePairs: number[] = [];
  #restingPairs: number[] = [];

  constructor(words: Int32Array) {
    this.#words = words;
    this.#slots = words.length / slotWords;
  }

  /** All there are. */
  get slots(): number {
    return this.#slots - poolSlot;
  }

  /** Those that can be taken now. */
  get available(): number {
    return this.#slots - this.#next + this.#free.length + 2 * this.#freePairs.length;
  }

  /** Whether two that lie together can be taken. */
  get hasPair(): boolean {
    return this.#freePairs.length > 0 || this.#slots - this.#next >= 2;
  }

  get resting(): number {
    return this.#resting.length + 2 * this.#restingPairs.length;
  }

  get used(): number {
    return this.slots - this.available - this.resting;
  }

  /** A slot of zeros. The caller has looked at `available`. RangeError when there is none. */
  take(): number {
    const slot = this.#free.pop();
    if (slot !== undefined) return this.#clear(slot);
    // Never written: zeros since the map was made.
    if (this.#next < this.#slots) return this.#next++;
    const pair = this.#freePairs.pop();
    if (pair === undefined) throw new RangeError('no slot is left');
    this.#free.push(pair + 1);
    return this.#clear(pair);
  }

  /** Two slots of zeros that lie together; `hasPair` says whether there are any. The first of them, RangeError when there are none. */
  takePair(): number {
    const pair = this.#freePairs.pop();
    if (pair !== undefined) {
      this.#clear(pair + 1);
      return this.#clear(pair);
    }
    if (this.#slots - this.#next < 2) throw new RangeError('no two slots are left');
    this.#next += 2;
    return this.#next - 2;
  }

  #clear(slot: number): number {
    for (let at = slot * slotWords; at < (slot + 1) * slotWords; at++) this.#words[at] = 0;
    return slot;
  }

  /** Nothing leads to the slot any more. */
  release(slot: number): void {
    this.#resting.push(slot);
  }

  releasePair(first: number): void {
    this.#restingPairs.push(first);
  }

  /** No program is running any more that ran when the last slot was released. */
  reclaim(): void {
    for (const slot of this.#resting) this.#free.push(slot);
    this.#resting = [];
    for (const pair of this.#restingPairs) this.#freePairs.push(pair);
    this.#restingPairs = [];
  }

  /** Begins with what is found in memory: `used` has a 1 for each slot that something leads to. The others rest. */
  restore(used: Uint8Array): void {
    this.#free.length = 0;
    this.#freePairs.length = 0;
    this.#resting = [];
    this.#restingPairs = [];
    let end = this.#words.length;
    while (end > poolSlot * slotWords && this.#words[end - 1] === 0) end--;
    this.#next = Math.max(poolSlot, used.lastIndexOf(1) + 1, Math.ceil(end / slotWords));
    for (let slot = poolSlot; slot < this.#next; slot++) if (used[slot] === 0) this.#resting.push(slot);
  }

  /** For memory that is a larger copy of another's. */
  continue(other: SlotPool): void {
    this.#next = other.#next;
    for (const [to, from] of [
      [this.#free, other.#free],
      [this.#resting, other.#resting],
      [this.#freePairs, other.#freePairs],
      [this.#restingPairs, other.#restingPairs],
    ] as const)
      for (const slot of from) to.push(slot);
  }
}
