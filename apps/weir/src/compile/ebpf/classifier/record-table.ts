import type { Cases } from './cases.ts';
import type { LaneLayout } from './lanes.ts';

const LEAST_RECORDS = 256;

/** Words of 32 bits in a record. */
export function recordWords({ words }: LaneLayout): number {
  return words * 4;
}

/**
 * Records of cases, in runs: those of a leaf one after the other, ascending by position. Of each word of the layout, 64 bits each, LO - G and HI + G; above the lanes of word 0 is the position, its
 * low bits in LO and what is left in HI, whose highest bit is set in the last record of a run. Positions are 0 until `setPosition`.
 */
export class RecordTable {
  readonly #layout: LaneLayout;
  readonly #size: number;
  readonly #words: Int32Array;
  readonly #shifts: Int32Array;
  #records: Uint32Array;
  #count = 0;
  /** Runs by a hash of what is in them: where they begin. */
  readonly #runs = new Map<number, number>();
  /** What is in each record: its case, or the one before 0 at the end of a run. */
  #cases = new Int32Array(LEAST_RECORDS);

  constructor(layout: LaneLayout) {
    this.#layout = layout;
    this.#size = recordWords(layout);
    this.#words = Int32Array.from(layout.lanes, ({ word }) => word * 4);
    this.#shifts = Int32Array.from(layout.lanes, ({ shift }) => shift);
    this.#records = new Uint32Array(LEAST_RECORDS * this.#size);
  }

  get count(): number {
    return this.#count;
  }

  /** The number of the first record of a run, which is written where there is none like it. */
  run(cases: Cases, members: Int32Array): number {
    const count = members.length;
    let hash = 0x811c_9dc5;
    for (let i = 0; i < count; i++) hash = Math.imul(hash ^ (members[i] as number), 0x0100_0193) ^ (hash >>> 15);
    const known = this.#runs.get(hash);
    if (known !== undefined && this.#isAt(known, members)) return known;
    const start = this.#count;
    this.#grow(start + count);
    for (let i = 0; i < count; i++) {
      const one = members[i] as number;
      this.#cases[start + i] = i === count - 1 ? ~one : one;
      this.#write(cases, one, start + i, i === count - 1);
    }
    this.#count = start + count;
    if (known === undefined) this.#runs.set(hash, start);
    return start;
  }

  /** What has been written, and by record its case; it is empty again. */
  take(): { readonly records: Uint32Array; readonly cases: Int32Array } {
    const records = this.#records.slice(0, this.#count * this.#size);
    const cases = this.#cases.slice(0, this.#count);
    for (let i = 0; i < cases.length; i++) if ((cases[i] as number) < 0) cases[i] = ~(cases[i] as number);
    this.#records.fill(0, 0, records.length);
    this.#count = 0;
    this.#runs.clear();
    return { records, cases };
  }

  #isAt(start: number, members: Int32Array): boolean {
    const end = members.length - 1;
    for (let i = 0; i < end; i++) if (this.#cases[start + i] !== members[i]) return false;
    return this.#cases[start + end] === ~(members[end] as number);
  }

  #write({ least, greatest }: Cases, one: number, record: number, last: boolean): void {
    const words = this.#records;
    const at = record * this.#size;
    for (let place = 0; place < this.#words.length; place++) {
      const word = at + (this.#words[place] as number);
      const shift = this.#shifts[place] as number;
      this.#add(word, shift, (least[place] as Uint32Array)[one] as number);
      this.#add(word + 2, shift, (greatest[place] as Uint32Array)[one] as number);
    }
    if (last) words[at + 3] = (words[at + 3] as number) | 0x8000_0000;
    const { guards } = this.#layout;
    for (let word = 0; word < guards.length; word++) {
      const [low, high] = guards[word] as readonly [number, number];
      const to = at + word * 4;
      const less = words[to] as number;
      words[to] = less - low;
      words[to + 1] = (words[to + 1] as number) - high - (less < low ? 1 : 0);
      // Nothing is there yet.
      words[to + 2] = (words[to + 2] as number) | low;
      words[to + 3] = (words[to + 3] as number) | high;
    }
  }

  /** Adds a value, shifted left, to the word at `at`, in which its place is 0. */
  #add(at: number, shift: number, value: number): void {
    const words = this.#records;
    if (shift >= 32) {
      words[at + 1] = (words[at + 1] as number) | (value << (shift - 32));
      return;
    }
    words[at] = (words[at] as number) | (value << shift);
    if (shift > 0) words[at + 1] = (words[at + 1] as number) | (value >>> (32 - shift));
  }

  #grow(count: number): void {
    if (count <= this.#cases.length) return;
    const size = Math.max(count, this.#cases.length * 2);
    const records = new Uint32Array(size * this.#size);
    records.set(this.#records);
    this.#records = records;
    const cases = new Int32Array(size);
    cases.set(this.#cases);
    this.#cases = cases;
  }
}

/** Gives the record at a word of `records` its position, in whose place 0 is. */
export function setPosition(records: Uint32Array, at: number, free: number, position: number): void {
  if (free >= 32) records[at + 1] = (records[at + 1] as number) + (position << (free - 32));
  else {
    const low = (records[at] as number) + ((position << free) >>> 0);
    records[at] = low;
    records[at + 1] = (records[at + 1] as number) + (free === 0 ? 0 : position >>> (32 - free)) + (low > 0xffff_ffff ? 1 : 0);
  }
  // What of 16 bits has no room above the lanes of LO.
  const inLow = 64 - free;
  if (inLow < 16) records[at + 3] = (records[at + 3] as number) | ((position >>> inLow) << (free - 32));
}
