import type { Dimension, Region } from './dimension.ts';

/**
 * Where the values of dimensions are in the words that records are compared by, 64 bits each: each value in a lane of as many bits as it needs, and above it a bit that guards it. With LO and HI a record's
 * least and greatest values and G the guards, `(X + G - LO) & (HI + G - X) & G` is G where every value of X is between the two.
 */
export interface Lane {
  readonly dimension: Dimension;
  readonly bits: number;
  readonly word: number;
  readonly shift: number;
  /** Of numbers whose values are renamed: the new one of each, and of a packet without one behind them. */
  readonly names: Uint32Array | undefined;
}

export interface LaneLayout {
  /** By dimension of the plan. */
  readonly lanes: readonly Lane[];
  readonly words: number;
  /** The guards of each word, low and high half. */
  readonly guards: readonly (readonly [low: number, high: number])[];
  /** Where the lanes of word 0 end: the bits above are for the position, the highest of HI for the end of a run. */
  readonly free: number;
}

/** Words of a record at most: where the cut of a node says which, it has two bits. */
const MOST_WORDS = 4;
/** In the two halves of word 0 together there is room for a position of 16 bits and the end of a run. */
const LEAST_FREE = 9;
const WORD = 64;
/** Numbers of so few values are renamed where what rules take of them is in pieces. */
const MOST_NAMED = 255;

/** Whether the values of a dimension may be renamed. */
export function isRenamed({ kind, max }: Dimension): boolean {
  return kind !== 'address' && max <= MOST_NAMED;
}

/** How the values of the dimensions are laid out; undefined where there are too many. `named`: the regions of those that are to be renamed. */
export function layLanes(dimensions: readonly Dimension[], named: readonly (readonly Region[] | undefined)[]): LaneLayout | undefined {
  const wanted = dimensions.map((dimension, place) => {
    const regions = named[place];
    const names = regions && namesOf(dimension, regions);
    return { dimension, place, names, bits: bitsOf(dimension, names) };
  });
  const used: number[] = [];
  const placed: Lane[] = [];
  for (const { dimension, place, names, bits } of [...wanted].sort((a, b) => b.bits - a.bits)) {
    // Where there is most room, and of the same room the last: so that one has enough left for the position.
    let word = -1;
    for (const [index, taken] of used.entries()) if (taken + bits + 1 <= WORD && (word < 0 || taken <= (used[word] ?? 0))) word = index;
    if (word < 0) word = used.push(0) - 1;
    placed[place] = { dimension, names, bits, word, shift: used[word] ?? 0 };
    used[word] = (used[word] ?? 0) + bits + 1;
  }
  let first = used.findIndex((taken) => taken <= WORD - LEAST_FREE);
  if (first < 0) first = used.push(0) - 1;
  if (used.length > MOST_WORDS) return undefined;
  // That one becomes word 0.
  const lanes = placed.map((lane) => ({ ...lane, word: lane.word === first ? 0 : lane.word === 0 ? first : lane.word }));
  const guards = used.map((_, word): readonly [number, number] => {
    let [low, high] = [0, 0];
    for (const lane of lanes) {
      if (lane.word !== word) continue;
      const at = lane.shift + lane.bits;
      if (at < 32) low += 2 ** at;
      else high += 2 ** (at - 32);
    }
    return [low, high];
  });
  return { lanes, words: used.length, guards, free: used[first] ?? 0 };
}

function bitsOf({ kind, max }: Dimension, names: Uint32Array | undefined): number {
  if (kind === 'address') return 32;
  return Math.max(1, 32 - Math.clz32(names ? Math.max(...names) : max + 1));
}

/** New names for the values of a small dimension, so that values which no rule tells apart are one, and those of a rule are next to one another. */
function namesOf({ max }: Dimension, regions: readonly Region[]): Uint32Array {
  const marks = Array.from({ length: max + 2 }, (_, value) =>
    regions
      .map(({ low, missing }) =>
        (value > max ? missing : low.some(({ first, last }) => value >= Number(first) && value <= Number(last))) ? '1' : '0',
      )
      .join(''),
  );
  const order = [...new Set(marks)].sort();
  const numbers = new Map(order.map((mark, index) => [mark, index]));
  return Uint32Array.from(marks, (mark) => numbers.get(mark) ?? 0);
}
