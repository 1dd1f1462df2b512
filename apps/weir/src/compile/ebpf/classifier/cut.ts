import type { Cases } from './cases.ts';

/** What a node tells packets apart by: 2^bits children by the bits of a lane from `shift` on. What is above them is the same for all cases that the lane tells apart here. */
export interface Cut {
  readonly lane: number;
  readonly shift: number;
  readonly bits: number;
  /** The values that the children share evenly begin here. */
  readonly base: number;
}

/** The values of each lane that a node is for. */
export interface Area {
  readonly least: Float64Array;
  readonly greatest: Float64Array;
}

const MOST_BITS = 14;
/** So many cases in the children for each case of a node, where it has more than two; and so many more, however few cases there are. */
const MOST_COPIES = 2;
const SPARE_COPIES = 16;
/** A cut is worth its while when no more than this part is left of a node. */
const LEAST_GAIN = 0.9;
/** What a copy of each case costs, beside the number of times that what is left is halved. */
const COST_OF_COPIES = 0.15;

const changes = new Int32Array(2 ** MOST_BITS + 1);
/** What is left of the range of each case that the lane at hand tells apart. */
let firsts = new Float64Array(1024);
let lasts = new Float64Array(1024);

/** The cut that leaves least to look at; undefined where none helps. */
export function chooseCut(cases: Cases, members: Int32Array, area: Area): Cut | undefined {
  const count = members.length;
  if (firsts.length < count) [firsts, lasts] = [new Float64Array(count * 2), new Float64Array(count * 2)];
  let best: Cut | undefined;
  let bestCost = Math.log2(count * LEAST_GAIN);
  for (let lane = 0; lane < cases.least.length; lane++) {
    const { bounded, low, high } = clip(cases, members, area, lane);
    const whole = count - bounded;
    // At least this much is left.
    if (bounded === 0 || Math.log2((whole * whole) / count + 1) >= bestCost) continue;
    const { size, base } = windowOf(low, high, area.least[lane] ?? 0, area.greatest[lane] ?? 0);
    const most = Math.min(size, MOST_BITS, 33 - Math.clz32(count - 1));
    for (let bits = most, tried = 0; bits >= 1 && tried < 2; bits -= bits > 4 ? 2 : 1) {
      const { copies, squares, sum } = occupancy(bounded, whole, { base, size, bits });
      if (copies > MOST_COPIES * count + SPARE_COPIES && bits > 1) continue;
      tried++;
      const left = ((squares / sum) * bounded + whole * (whole + 1)) / count;
      const cost = Math.log2(left) + (copies / count) * COST_OF_COPIES;
      if (cost >= bestCost) continue;
      bestCost = cost;
      best = { lane, shift: size - bits, bits, base };
    }
  }
  return best;
}

/** Fills `firsts` and `lasts`; cases that take all of the area are left out. */
function clip(
  { least, greatest }: Cases,
  members: Int32Array,
  area: Area,
  lane: number,
): { readonly bounded: number; readonly low: number; readonly high: number } {
  const [from, to] = [least[lane] as Uint32Array, greatest[lane] as Uint32Array];
  const begin = area.least[lane] as number;
  const end = area.greatest[lane] as number;
  let low = Infinity;
  let high = -1;
  let bounded = 0;
  for (let i = 0; i < members.length; i++) {
    const one = members[i] as number;
    let first = from[one] as number;
    let last = to[one] as number;
    if (first <= begin) {
      if (last >= end) continue;
      first = begin;
    }
    if (last > end) last = end;
    if (first < low) low = first;
    if (last > high) high = last;
    firsts[bounded] = first;
    lasts[bounded++] = last;
  }
  return { bounded, low, high };
}

/** Of 2^bits children: how many cases are in those that have any of the cases at hand and one other; and, over the cases at hand, what else there is with them. */
function occupancy(
  bounded: number,
  whole: number,
  { base, size, bits }: { readonly base: number; readonly size: number; readonly bits: number },
): { readonly copies: number; readonly squares: number; readonly sum: number } {
  const shift = size - bits;
  const children = 2 ** bits;
  changes.fill(0, 0, children + 1);
  for (let i = 0; i < bounded; i++) {
    const first = ((firsts[i] as number) - base) >>> shift;
    const behind = (((lasts[i] as number) - base) >>> shift) + 1;
    changes[first] = (changes[first] as number) + 1;
    changes[behind] = (changes[behind] as number) - 1;
  }
  let now = 0;
  let sum = 0;
  let squares = 0;
  let filled = 1;
  for (let child = 0; child < children; child++) {
    now += changes[child] as number;
    if (now === 0) continue;
    filled++;
    sum += now;
    squares += now * (now + whole);
  }
  return { copies: sum + filled * whole, squares, sum };
}

/** Bits above which values from `low` to `high` are the same, and the first value with what is above; at least so many that values of the area are told apart from them. */
function windowOf(low: number, high: number, begin: number, end: number): { readonly size: number; readonly base: number } {
  let size = 32 - Math.clz32(low ^ high);
  if (size === 0) size = Math.min(3, 32 - Math.clz32(begin ^ end));
  return { size, base: low - (low % 2 ** size) };
}
