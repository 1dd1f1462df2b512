import type { Cases } from './cases.ts';
import { type Area, type Cut, chooseCut } from './cut.ts';
import type { LaneLayout } from './lanes.ts';
import { RecordTable } from './record-table.ts';

/**
 * A reference, 32 bits. To a leaf: the highest bit, and the offset of a run of records. To a node: shifts that leave of the word `word` the number of the child (left by `up`, then right by `down`), and
 * where the references to the children are, in units of CHILDREN of them.
 */
export const REFERENCE = { leaf: 0x8000_0000, up: 0, down: 6, word: 12, children: 14 } as const;
/** Children begin at a multiple of so many. */
export const CHILDREN = 4;
const MOST_CHILDREN = 2 ** 17 * CHILDREN;
/** The record that no packet is like. */
export const NOTHING: number = REFERENCE.leaf;

/** Cases that a leaf holds without need; and nodes from a root to a leaf at most. */
const FEW = 3;
const MOST_DEPTH = 20;

/** Trees cannot be made within the bounds. */
export class TooWide extends Error {
  readonly code = 'trees-too-wide';
}

export interface TreeLimits {
  readonly records: number;
  /** Records of one run. */
  readonly run: number;
}

/** Writes trees into one array of references, and the records of their leaves. */
export class TreeWriter {
  readonly #layout: LaneLayout;
  readonly #limits: TreeLimits;
  readonly #records: RecordTable;
  #words: Uint32Array = new Uint32Array(4096);
  #used: number;
  #depth = 0;
  /** The longest run. */
  longest = 0;

  /** `head`: words before the trees, which are the caller's. */
  constructor(layout: LaneLayout, head: number, limits: TreeLimits) {
    this.#layout = layout;
    this.#limits = limits;
    this.#records = new RecordTable(layout, limits.records);
    this.#used = Math.ceil(head / CHILDREN) * CHILDREN;
  }

  /** Trees over another list of cases follow. */
  nextCases(): void {
    this.#records.nextCases();
  }

  /** The nodes that a search passes at most, of the trees written since this was asked last. */
  takeDepth(): number {
    const depth = this.#depth;
    this.#depth = 0;
    return depth;
  }

  /** A tree over some cases, ascending. Returns the reference to its root. @throws TooWide */
  tree(cases: Cases, members: Int32Array, area: Area): number {
    return this.#node(cases, members, area, 0);
  }

  octets(head: readonly number[]): { readonly nodes: Uint8Array<ArrayBuffer>; readonly records: Uint8Array<ArrayBuffer> } {
    this.#words.set(head);
    return { nodes: new Uint8Array(this.#words.slice(0, this.#used).buffer), records: this.#records.octets() };
  }

  #leaf(cases: Cases, members: Int32Array): number {
    if (members.length === 0) return NOTHING;
    if (members.length > this.#limits.run) throw new TooWide(`${members.length} cases in one place`);
    if (members.length > this.longest) this.longest = members.length;
    const at = this.#records.run(cases, members, 0, members.length);
    if (at === undefined) throw new TooWide('too many records');
    return (REFERENCE.leaf | at) >>> 0;
  }

  #node(cases: Cases, members: Int32Array, area: Area, level: number): number {
    const cut = members.length <= FEW || level >= MOST_DEPTH ? undefined : chooseCut(cases, members, area);
    if (!cut) return this.#leaf(cases, members);
    if (level >= this.#depth) this.#depth = level + 1;
    const at = this.#reserve(2 ** cut.bits);
    this.#children(cases, members, area, { cut, level, at });
    const lane = this.#layout.lanes[cut.lane];
    if (!lane) throw new RangeError(`no lane ${cut.lane}`);
    const up = 64 - lane.shift - cut.shift - cut.bits;
    return (up | ((64 - cut.bits) << REFERENCE.down) | (lane.word << REFERENCE.word) | ((at / CHILDREN) << REFERENCE.children)) >>> 0;
  }

  #children(
    cases: Cases,
    members: Int32Array,
    area: Area,
    { cut, level, at }: { readonly cut: Cut; readonly level: number; readonly at: number },
  ): void {
    const count = 2 ** cut.bits;
    const { sorted, starts, whole } = distribute(cases, members, area, cut);
    const begin = area.least[cut.lane] ?? 0;
    const end = area.greatest[cut.lane] ?? 0;
    const part = 2 ** cut.shift;
    /** Of children with none but cases that take all of the area: they are alike. */
    let alike: number | undefined;
    let before: { readonly from: number; readonly to: number; readonly reference: number } | undefined;
    for (let child = 0; child < count; child++) {
      const from = starts[child] ?? 0;
      const to = starts[child + 1] ?? 0;
      const first = cut.base + child * part;
      const last = first + part - 1;
      let reference: number;
      if (from === to && alike !== undefined) reference = alike;
      else if (from < to && before && sameCover(cases, sorted, before, { from, to }, cut.lane, first, last)) reference = before.reference;
      else {
        area.least[cut.lane] = Math.max(first, begin);
        area.greatest[cut.lane] = Math.min(last, end);
        reference = this.#node(cases, merge(whole, sorted, from, to), area, level + 1);
        if (from === to) alike = reference;
      }
      // What the child before takes only in part is not like this one.
      before = from < to && covers(cases, sorted, from, to, cut.lane, first, last) ? { from, to, reference } : undefined;
      this.#words[at + child] = reference;
    }
    area.least[cut.lane] = begin;
    area.greatest[cut.lane] = end;
  }

  #reserve(words: number): number {
    const at = this.#used;
    const end = at + Math.ceil(words / CHILDREN) * CHILDREN;
    if (end > MOST_CHILDREN) throw new TooWide('too many nodes');
    if (end > this.#words.length) {
      const larger = new Uint32Array(Math.max(end, this.#words.length * 2));
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#used = end;
    return at;
  }
}

/** The cases that take all of the area in the lane of the cut; and of the others, by child, those that have some of it. All ascending. */
function distribute(
  cases: Cases,
  members: Int32Array,
  area: Area,
  { lane, shift, bits, base }: Cut,
): { readonly whole: Int32Array; readonly sorted: Int32Array; readonly starts: Int32Array } {
  const least = cases.least[lane] as Uint32Array;
  const greatest = cases.greatest[lane] as Uint32Array;
  const begin = area.least[lane] ?? 0;
  const end = area.greatest[lane] ?? 0;
  const above = base + 2 ** (shift + bits) - 1;
  const starts = new Int32Array(2 ** bits + 2);
  let wholes = 0;
  const childOf = (value: number): number => ((value < base ? base : value > above ? above : value) - base) >>> shift;
  for (const one of members) {
    const first = least[one] as number;
    const last = greatest[one] as number;
    if (first <= begin && last >= end) wholes++;
    else for (let child = childOf(first), to = childOf(last); child <= to; child++) starts[child + 2] = (starts[child + 2] as number) + 1;
  }
  for (let child = 2; child < starts.length; child++) starts[child] = (starts[child] as number) + (starts[child - 1] as number);
  const sorted = new Int32Array(starts[starts.length - 1] ?? 0);
  const whole = new Int32Array(wholes);
  wholes = 0;
  // `starts[child + 1]` goes from where the child begins to where it ends.
  for (const one of members) {
    const first = least[one] as number;
    const last = greatest[one] as number;
    if (first <= begin && last >= end) whole[wholes++] = one;
    else {
      for (let child = childOf(first), to = childOf(last); child <= to; child++) {
        const at = starts[child + 1] as number;
        sorted[at] = one;
        starts[child + 1] = at + 1;
      }
    }
  }
  return { whole, sorted, starts };
}

function merge(a: Int32Array, b: Int32Array, from: number, to: number): Int32Array {
  if (from === to) return a;
  if (a.length === 0) return b.subarray(from, to);
  const out = new Int32Array(a.length + to - from);
  let [i, j] = [0, from];
  for (let k = 0; k < out.length; k++)
    out[k] = j >= to || (i < a.length && (a[i] as number) < (b[j] as number)) ? (a[i++] as number) : (b[j++] as number);
  return out;
}

interface Part {
  readonly from: number;
  readonly to: number;
}

/** Whether all of these cases take all of the values from `first` to `last`. */
function covers(cases: Cases, sorted: Int32Array, from: number, to: number, lane: number, first: number, last: number): boolean {
  const least = cases.least[lane] as Uint32Array;
  const greatest = cases.greatest[lane] as Uint32Array;
  for (let i = from; i < to; i++) {
    const one = sorted[i] as number;
    if ((least[one] as number) > first || (greatest[one] as number) < last) return false;
  }
  return true;
}

/** Whether a part has the same cases as the one before it, and they take all of its values. */
function sameCover(cases: Cases, sorted: Int32Array, before: Part, { from, to }: Part, lane: number, first: number, last: number): boolean {
  if (before.to - before.from !== to - from) return false;
  for (let i = from; i < to; i++) if (sorted[i] !== sorted[before.from + i - from]) return false;
  return covers(cases, sorted, from, to, lane, first, last);
}
