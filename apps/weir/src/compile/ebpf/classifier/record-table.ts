import type { Cases } from './cases.ts';
import type { LaneLayout } from './lanes.ts';

const LEAST_RECORDS = 256;

/**
 * Records of cases, in runs: those of a leaf one after the other, ascending by position. Of each word of the layout, 64 bits each, LO - G and HI + G; above the lanes of word 0 is the position, its
 * low bits in LO and what is left in HI, whose highest bit is set in the last record of a run. The first record is one that no packet is like.
 */
export class RecordTable {
  readonly #layout: LaneLayout;
  readonly #size: number;
  readonly #most: number;
  #words: Uint32Array;
  #count = 1;
  /** Runs by a hash of what is in them: where they begin. */
  readonly #runs = new Map<number, number>();
  /** What is in each record: its case, or the one before 0 at the end of a run. */
  #cases = new Int32Array(LEAST_RECORDS);

  constructor(layout: LaneLayout, most: number) {
    this.#layout = layout;
    this.#most = most;
    this.#size = layout.words * 4;
    this.#words = new Uint32Array(LEAST_RECORDS * this.#size);
    // LO - G is 0: no value keeps a guard. The run ends with it.
    this.#words[3] = 0x8000_0000;
    this.#cases[0] = -1;
  }

  /** Runs of another list of cases follow. */
  nextCases(): void {
    this.#runs.clear();
  }

  /** The offset of a run in octets, which is written where there is none like it; undefined when there are too many records. */
  run(cases: Cases, members: Int32Array, from: number, to: number): number | undefined {
    let hash = 0x811c_9dc5;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ (members[i] ?? 0), 0x0100_0193) ^ (hash >>> 15);
    const known = this.#runs.get(hash);
    if (known !== undefined && this.#isAt(known, members, from, to)) return known * this.#size * 4;
    const start = this.#count;
    if (start + to - from > this.#most) return undefined;
    this.#grow(start + to - from);
    for (let i = from; i < to; i++) {
      const one = members[i] ?? 0;
      this.#cases[start + i - from] = i === to - 1 ? ~one : one;
      this.#write(cases, one, start + i - from, i === to - 1);
    }
    this.#count = start + to - from;
    if (known === undefined) this.#runs.set(hash, start);
    return start * this.#size * 4;
  }

  octets(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#words.slice(0, this.#count * this.#size).buffer);
  }

  #isAt(start: number, members: Int32Array, from: number, to: number): boolean {
    for (let i = from; i < to; i++) {
      const one = members[i] ?? 0;
      if (this.#cases[start + i - from] !== (i === to - 1 ? ~one : one)) return false;
    }
    return true;
  }

  #write({ least, greatest, positions }: Cases, one: number, record: number, last: boolean): void {
    const words = this.#words;
    const { lanes, guards, free } = this.#layout;
    const at = record * this.#size;
    for (const [place, { word, shift }] of lanes.entries()) {
      this.#add(at + word * 4, shift, least[place]?.[one] ?? 0);
      this.#add(at + word * 4 + 2, shift, greatest[place]?.[one] ?? 0);
    }
    const position = positions[one] ?? 0;
    const inLow = 64 - free;
    this.#add(at, free, inLow >= 32 ? position : position % 2 ** inLow);
    if (inLow < 16) this.#add(at + 2, free, position >>> inLow);
    if (last) words[at + 3] = (words[at + 3] ?? 0) | 0x8000_0000;
    for (const [word, [low, high]] of guards.entries()) {
      const to = at + word * 4;
      const less = words[to] ?? 0;
      words[to] = less - low;
      words[to + 1] = (words[to + 1] ?? 0) - high - (less < low ? 1 : 0);
      // Nothing is there yet.
      words[to + 2] = (words[to + 2] ?? 0) | low;
      words[to + 3] = (words[to + 3] ?? 0) | high;
    }
  }

  /** Adds a value, shifted left, to the word at `at`, in which its place is 0. */
  #add(at: number, shift: number, value: number): void {
    const words = this.#words;
    if (shift >= 32) {
      words[at + 1] = (words[at + 1] ?? 0) | (value << (shift - 32));
      return;
    }
    words[at] = (words[at] ?? 0) | (value << shift);
    if (shift > 0) words[at + 1] = (words[at + 1] ?? 0) | (value >>> (32 - shift));
  }

  #grow(count: number): void {
    if (count <= this.#cases.length) return;
    const size = Math.max(count, this.#cases.length * 2);
    const words = new Uint32Array(size * this.#size);
    words.set(this.#words);
    this.#words = words;
    const cases = new Int32Array(size);
    cases.set(this.#cases);
    this.#cases = cases;
  }
}
