import { BitVectors, type EncodedVectors } from './bit-vectors.ts';
import type { Dimension, Region } from './dimension.ts';
import type { Geometry } from './geometry.ts';

/** What values of a dimension are of which class: from each start to the next one. The first start is 0. */
export interface Spans<Value> {
  readonly starts: readonly Value[];
  readonly classes: readonly number[];
}

/** The classes of a dimension: values for which the same positions hold are of one, or of a few. */
export interface Classes {
  readonly low: Spans<number>;
  readonly high: Spans<bigint>;
  /** Of packets that do not have the field. */
  readonly missing: number;
  readonly count: number;
  readonly vectors: EncodedVectors;
}

/** What position asks what of one dimension. */
export interface Placed {
  readonly position: number;
  /** undefined: it takes every packet. */
  readonly region: Region | undefined;
}

/** Positions are below 2^16: together with a value of 32 bits and the one after it they are exact in a number. */
const POSITIONS = 0x1_0000;

/**
 * Goes along the values of a dimension, from each boundary to the next. O(n log n) in the boundaries, and a vector for each class; dense ones take at most `mostDense` octets.
 */
export function classesOf(
  { kind, max }: Pick<Dimension, 'kind' | 'max'>,
  placed: readonly Placed[],
  geometry: Geometry,
  mostDense: number,
): Classes {
  if (geometry.positions > POSITIONS) throw new RangeError(`${geometry.positions} positions`);
  const vectors = new BitVectors(geometry);
  const bounded: { readonly position: number; readonly region: Region }[] = [];
  for (const { position, region } of placed) {
    if (region) bounded.push({ position, region });
    else vectors.toggle(position);
  }
  const low = sweepLow(bounded, vectors, max + 1);
  const high = kind === 'address' ? sweepHigh(bounded, vectors) : { starts: [], classes: [] };
  for (const { position, region } of bounded) if (region.missing) vectors.toggle(position);
  const missing = vectors.take();
  return { low, high, missing, count: vectors.count, vectors: vectors.encode(mostDense) };
}

type Bounded = { readonly position: number; readonly region: Region };

const END_HIGH = 1n << 128n;

function sweepLow(bounded: readonly Bounded[], vectors: BitVectors, end: number): Spans<number> {
  const edges = new Float64Array(bounded.reduce((sum, { region }) => sum + region.low.length * 2, 0));
  let n = 0;
  for (const { position, region } of bounded) {
    for (const { first, last } of region.low) {
      edges[n++] = Number(first) * POSITIONS + position;
      edges[n++] = (Number(last) + 1) * POSITIONS + position;
    }
  }
  edges.sort();
  const starts: number[] = [];
  const classes: number[] = [];
  let value = 0;
  for (let i = 0; i <= edges.length; i++) {
    const edge = edges[i];
    const next = edge === undefined ? end : Math.floor(edge / POSITIONS);
    if (next > value) {
      push(starts, classes, value, vectors.take());
      value = next;
    }
    if (edge !== undefined) vectors.toggle(edge % POSITIONS);
  }
  return { starts, classes };
}

function sweepHigh(bounded: readonly Bounded[], vectors: BitVectors): Spans<bigint> {
  const edges: bigint[] = [];
  for (const { position, region } of bounded) {
    const place = BigInt(position);
    for (const { first, last } of region.high) {
      edges.push((BigInt(first) << 16n) | place);
      edges.push(((BigInt(last) + 1n) << 16n) | place);
    }
  }
  edges.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const starts: bigint[] = [];
  const classes: number[] = [];
  let value = 0n;
  for (const edge of edges) {
    const next = edge >> 16n;
    if (next > value) {
      push(starts, classes, value, vectors.take());
      value = next;
    }
    vectors.toggle(Number(edge & 0xffffn));
  }
  if (value < END_HIGH) push(starts, classes, value, vectors.take());
  return { starts, classes };
}

/** Neighbours of one class are one span. */
function push<Value>(starts: Value[], classes: number[], start: Value, classOf: number): void {
  if (classes.at(-1) === classOf) return;
  starts.push(start);
  classes.push(classOf);
}
