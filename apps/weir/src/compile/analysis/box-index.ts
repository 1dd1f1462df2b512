import type { Box } from './box.ts';
import { at } from './runs.ts';

/** Bitmaps that are kept of one order of boxes, and the least number of boxes between two. */
const MOST_BITMAPS = 256;
const LEAST_BLOCK = 32;

/** One order of the boxes on one axis, with the boxes up to every so many places as bitmaps. */
interface Side {
  readonly block: number;
  readonly values: Int32Array;
  readonly ids: Int32Array;
  readonly bitmaps: readonly Uint32Array[];
}

/**
 * Finds the boxes that may touch a box: those whose outermost segments on every axis do. For each axis the boxes are kept in the order of their first and
 * of their last segment, with bitmaps of how many come before; a question is an AND of two bitmaps for each axis that it cuts.
 */
export class BoxIndex {
  readonly #words: number;
  readonly #starts: (Side | undefined)[] = [];
  readonly #ends: (Side | undefined)[] = [];
  readonly #full: Box;

  constructor(boxes: readonly Box[], full: Box) {
    this.#words = (boxes.length + 31) >>> 5;
    this.#full = full;
    for (let axis = 0; axis < full.length; axis++) {
      const cut = boxes.some((box) => box[axis] !== full[axis]);
      this.#starts.push(cut ? side(boxes, axis, this.#words, (runs) => at(runs, 0)) : undefined);
      // Reversed, so that "ends at or after" is a beginning too.
      this.#ends.push(cut ? side(boxes, axis, this.#words, (runs) => -at(runs, runs.length - 1)) : undefined);
    }
  }

  /** Indexes of the boxes that may touch `box`, in order, from `from` up to but without `to`. */
  near(box: Box, from: number, to: number): readonly number[] {
    const low = from >>> 5;
    const high = Math.min(this.#words, (to + 31) >>> 5);
    const found = new Uint32Array(this.#words).fill(0xffffffff);
    for (let axis = 0; axis < box.length; axis++) {
      const runs = box[axis];
      const starts = this.#starts[axis];
      const ends = this.#ends[axis];
      if (runs === undefined || starts === undefined || ends === undefined || runs === this.#full[axis]) continue;
      keep(found, starts, at(runs, runs.length - 1), low, high);
      keep(found, ends, -at(runs, 0), low, high);
    }
    const out: number[] = [];
    for (let word = low; word < high; word++) {
      for (let bits = found[word] ?? 0; bits !== 0; bits &= bits - 1) {
        const id = (word << 5) + 31 - Math.clz32(bits & -bits);
        if (id >= from && id < to) out.push(id);
      }
    }
    return out;
  }
}

function side(boxes: readonly Box[], axis: number, words: number, key: (runs: readonly number[]) => number): Side {
  const keys = Int32Array.from(boxes, (box) => key(box[axis] ?? []));
  const ids = Int32Array.from(boxes.keys()).sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0));
  const bitmaps: Uint32Array[] = [];
  const block = Math.max(LEAST_BLOCK, Math.ceil(ids.length / MOST_BITMAPS));
  const current = new Uint32Array(words);
  for (let i = 0; i <= ids.length; i++) {
    if (i % block === 0) bitmaps.push(current.slice());
    const id = ids[i];
    if (id !== undefined) current[id >>> 5] = (current[id >>> 5] ?? 0) | (1 << (id & 31));
  }
  return { block, ids, values: ids.map((id) => keys[id] ?? 0), bitmaps };
}

/** Clears what comes after `most` on a side. */
function keep(found: Uint32Array, { block, values, ids, bitmaps }: Side, most: number, low: number, high: number): void {
  let count = 0;
  let end = values.length;
  while (count < end) {
    const middle = (count + end) >>> 1;
    if ((values[middle] ?? 0) <= most) count = middle + 1;
    else end = middle;
  }
  const place = Math.floor(count / block);
  const bitmap = bitmaps[place];
  // The boxes after the bitmap's place that still count.
  const extra = ids.subarray(place * block, count);
  const kept: number[] = [];
  for (const id of extra) if ((((found[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 1) kept.push(id);
  for (let word = low; word < high; word++) found[word] = (found[word] ?? 0) & (bitmap?.[word] ?? 0);
  for (const id of kept) found[id >>> 5] = (found[id >>> 5] ?? 0) | (1 << (id & 31));
}
