import { SET_LAYOUT } from '../../../model/set-layout.ts';

const { slotWords, poolSlot } = SET_LAYOUT;

/**
 * The slots of one set's memory. A slot that is given back may still be read by a program that found its way there before: it rests, unchanged, until `reclaim` says that
 * every such program has ended. Costs 4 octets for each slot that rests or is free again.
 */
export class SlotPool {
  readonly #words: Int32Array;
  readonly #end: number;
  /** Slots from here on have never been used: they are zeros. */
  #next: number = poolSlot;
  readonly #free: number[] = [];
  #resting: number[] = [];

  /** `end`: the slot behind its last. */
  constructor(words: Int32Array, end: number) {
    this.#words = words;
    this.#end = end;
  }

  /** All there are. */
  get slots(): number {
    return this.#end - poolSlot;
  }

  /** Those that can be taken now. */
  get available(): number {
    return this.#end - this.#next + this.#free.length;
  }

  get resting(): number {
    return this.#resting.length;
  }

  get used(): number {
    return this.slots - this.available - this.resting;
  }

  /** A slot of zeros. The caller has looked at `available`. RangeError when there is none. */
  take(): number {
    const slot = this.#free.pop();
    if (slot !== undefined) return this.#clear(slot);
    if (this.#next === this.#end) throw new RangeError('no slot is left');
    // Never written: zeros since the map was made.
    return this.#next++;
  }

  #clear(slot: number): number {
    for (let at = slot * slotWords; at < (slot + 1) * slotWords; at++) this.#words[at] = 0;
    return slot;
  }

  /** Nothing leads to the slot any more. */
  release(slot: number): void {
    this.#resting.push(slot);
  }

  /** No program is running any more that ran when the last slot was released. */
  reclaim(): void {
    for (const slot of this.#resting) this.#free.push(slot);
    this.#resting = [];
  }

  /** Begins with what is found in memory: `used` has a 1 for each slot that something leads to. The others rest. */
  restore(used: Uint8Array): void {
    this.#free.length = 0;
    this.#resting = [];
    let end = this.#end * slotWords;
    while (end > poolSlot * slotWords && this.#words[end - 1] === 0) end--;
    this.#next = Math.max(poolSlot, used.lastIndexOf(1) + 1, Math.ceil(end / slotWords));
    for (let slot = poolSlot; slot < this.#next; slot++) if (used[slot] === 0) this.#resting.push(slot);
  }

  /** For memory that is a larger copy of another's. */
  continue(other: SlotPool): void {
    this.#next = other.#next;
    for (const slot of other.#free) this.#free.push(slot);
    for (const slot of other.#resting) this.#resting.push(slot);
  }
}
