import type { Cases } from './cases.ts';
import type { Area, Cut } from './cut.ts';

/** What the children of a node have, as places among the cases of the node; all ascending. */
export interface Shares {
  /** Cases that take all of the area in the lane of the cut. */
  readonly whole: Int32Array;
  /** Of the others by child, one child after the other, those that have some of it. */
  readonly sorted: Int32Array;
  /** By child where its own begin in `sorted`, and at last where they end. */
  readonly starts: Int32Array;
  /** By child: it has the same as the one before, and all of it takes all that both are for. */
  readonly same: Uint8Array;
}

/** By member at hand the first of its children and the last; -1 where it takes all of the area. */
let firsts = new Int32Array(1024);
let lasts = new Int32Array(1024);

/** Shares the cases of a node among its children. */
export function distribute(cases: Cases, members: Int32Array, area: Area, cut: Cut): Shares {
  const { lane, shift, bits, base } = cut;
  const least = cases.least[lane] as Uint32Array;
  const greatest = cases.greatest[lane] as Uint32Array;
  const begin = area.least[lane] as number;
  const end = area.greatest[lane] as number;
  const above = base + 2 ** (shift + bits) - 1;
  const children = 2 ** bits;
  const count = members.length;
  if (firsts.length < count) [firsts, lasts] = [new Int32Array(count * 2), new Int32Array(count * 2)];
  const starts = new Int32Array(children + 2);
  let wholes = 0;
  for (let i = 0; i < count; i++) {
    const one = members[i] as number;
    const first = least[one] as number;
    const last = greatest[one] as number;
    if (first <= begin && last >= end) {
      wholes++;
      firsts[i] = -1;
      continue;
    }
    const from = ((first < base ? base : first > above ? above : first) - base) >>> shift;
    const to = ((last < base ? base : last > above ? above : last) - base) >>> shift;
    firsts[i] = from;
    lasts[i] = to;
    for (let child = from; child <= to; child++) starts[child + 2] = (starts[child + 2] as number) + 1;
  }
  for (let child = 2; child < starts.length; child++) starts[child] = (starts[child] as number) + (starts[child - 1] as number);
  const sorted = new Int32Array(starts[starts.length - 1] as number);
  const whole = new Int32Array(wholes);
  wholes = 0;
  // `starts[child + 1]` goes from where the child begins to where it ends.
  for (let i = 0; i < count; i++) {
    const from = firsts[i] as number;
    if (from < 0) {
      whole[wholes++] = i;
      continue;
    }
    const to = lasts[i] as number;
    for (let child = from; child <= to; child++) {
      const at = starts[child + 1] as number;
      sorted[at] = i;
      starts[child + 1] = at + 1;
    }
  }
  const same = new Uint8Array(children);
  for (let child = 1; child < children; child++) {
    const from = starts[child] as number;
    const own = (starts[child + 1] as number) - from;
    const before = starts[child - 1] as number;
    if (own === 0 || from - before !== own) continue;
    const first = base + (child - 1) * 2 ** shift;
    const last = base + (child + 1) * 2 ** shift - 1;
    let all = 1;
    for (let i = from; i < from + own && all === 1; i++) {
      const one = members[sorted[i] as number] as number;
      if (sorted[i] !== sorted[before + i - from] || (least[one] as number) > first || (greatest[one] as number) < last) all = 0;
    }
    same[child] = all;
  }
  return { whole, sorted, starts: starts.subarray(0, children + 1), same };
}

/** The cases of one child: what takes all of the area, and its own. */
export function membersOf(members: Int32Array, { whole, sorted }: Shares, from: number, to: number): Int32Array {
  const out = new Int32Array(whole.length + to - from);
  let [i, j] = [0, from];
  for (let k = 0; k < out.length; k++) {
    const next = j >= to || (i < whole.length && (whole[i] as number) < (sorted[j] as number)) ? whole[i++] : sorted[j++];
    out[k] = members[next as number] as number;
  }
  return out;
}
