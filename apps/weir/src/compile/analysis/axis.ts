import type { Int } from '@weir/filter/scheme';
import type { Runs } from './runs.ts';
import { NOTHING, runsOfPairs, subtractRuns } from './runs.ts';

/** A value on an axis: a number, or octets as text (Latin-1). One axis has values of one kind. */
export type Coordinate = Int | string;

/** Values from `from` up to but without `to`; undefined is the end of the axis. */
export interface Stretch {
  readonly from: Coordinate;
  readonly to: Coordinate | undefined;
}

/** One thing that rules ask about a packet, before it is known where they cut it. */
export interface AxisSpec {
  /** What identifies it: a field, or the text of a test that is only known as true or not. */
  readonly key: string;
  readonly kind: 'number' | 'address' | 'name' | 'atom';
  /** The least value. */
  readonly min: Coordinate;
  /** The first value that is too large; undefined where there is none. */
  readonly end: Coordinate | undefined;
  /** A packet may have no value. */
  readonly optional: boolean;
  /** Protocols whose packets can have a value; undefined is every one. */
  readonly protocols: readonly number[] | undefined;
}

/**
 * An axis of the space of packets, cut at every value where some rule begins or ends to match, so that all values of one segment are the same to every
 * rule. Segments are numbered from 1 in the order of their values; 0 is the missing value.
 */
export class Axis {
  readonly spec: AxisSpec;
  /** The first value of segment i + 1. */
  readonly starts: readonly Coordinate[];
  /** Every segment, and 0 where a value can be missing. */
  readonly full: Runs;
  readonly #numbers: ReadonlyMap<Coordinate, number>;

  constructor(spec: AxisSpec, cuts: Iterable<Coordinate>) {
    const inside = [...new Set(cuts)].filter((cut) => cut > spec.min && (spec.end === undefined || cut < spec.end));
    this.spec = spec;
    this.starts = [spec.min, ...inside.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))];
    this.full = [spec.optional ? 0 : 1, this.starts.length];
    this.#numbers = new Map(this.starts.map((start, i) => [start, i + 1]));
  }

  /** The segments that the stretches are made of. Every end of a stretch must have been a cut. */
  segments(stretches: readonly Stretch[]): Runs {
    const pairs: [number, number][] = [];
    for (const { from, to } of stretches) {
      const first = from <= this.spec.min ? 1 : this.#numbers.get(from);
      const after =
        to === undefined || (this.spec.end !== undefined && to >= this.spec.end) ? this.starts.length + 1 : this.#numbers.get(to);
      if (first === undefined || after === undefined) continue;
      if (first < after) pairs.push([first, after - 1]);
    }
    return pairs.length === 0 ? NOTHING : runsOfPairs(pairs);
  }

  /** What is not in `runs`, with the missing value where there is one. */
  others(runs: Runs): Runs {
    return subtractRuns(this.full, runs);
  }

  /** First value of a segment and the first value after it; undefined for the missing value. */
  segment(number: number): Stretch | undefined {
    const from = this.starts[number - 1];
    return from === undefined ? undefined : { from, to: this.starts[number] ?? this.spec.end };
  }
}

/** One more, as `number` where that is exact. */
export function next(value: Int): Int {
  const more = typeof value === 'number' && value < Number.MAX_SAFE_INTEGER ? value + 1 : BigInt(value) + 1n;
  return normal(more);
}

/** A whole number as `number` wherever it is a safe integer, so that equal values are one key. */
export function normal(value: Int): Int {
  if (typeof value === 'number') return value;
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
