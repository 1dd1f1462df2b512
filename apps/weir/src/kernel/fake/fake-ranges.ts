import type { Family } from '@weir/wire/inet';
import type { PrefixColumns } from '../../model/member-delta.ts';
import type { RangeColumns } from '../backend.ts';

/** Addresses from `first` to `last`, both included, as numbers. */
export interface FakeRange {
  readonly first: bigint;
  readonly last: bigint;
}

const WORD = 0xffffffffn;

export function rangesOfPrefixes({ family, count, words, lengths }: PrefixColumns): FakeRange[] {
  const bits = family === 4 ? 32 : 128;
  return Array.from({ length: count }, (_, i) => {
    const first = numberAt(family, words, i);
    return { first, last: first + (1n << BigInt(bits - (lengths[i] as number))) - 1n };
  });
}

export function rangesOfColumns({ family, count, firsts, lasts }: RangeColumns): FakeRange[] {
  return Array.from({ length: count }, (_, i) => ({ first: numberAt(family, firsts, i), last: numberAt(family, lasts, i) }));
}

export function columnsOfRanges(family: Family, ranges: readonly FakeRange[]): RangeColumns {
  const k = family === 4 ? 1 : 4;
  const column = (pick: (range: FakeRange) => bigint): Uint32Array => {
    const words = new Uint32Array(ranges.length * k);
    ranges.forEach((range, i) => {
      for (let j = 0; j < k; j++) words[i * k + j] = Number((pick(range) >> BigInt(32 * (k - 1 - j))) & WORD);
    });
    return words;
  };
  return { family, count: ranges.length, firsts: column((r) => r.first), lasts: column((r) => r.last) };
}

function numberAt(family: Family, words: Uint32Array, i: number): bigint {
  const k = family === 4 ? 1 : 4;
  let sum = 0n;
  for (let j = 0; j < k; j++) sum = (sum << 32n) | BigInt(words[i * k + j] as number);
  return sum;
}
