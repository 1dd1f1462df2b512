import type { RangeSet } from '@weir/filter/ir';
import { type Match, option } from '../iptables/match.ts';

/** Ranges that one test of `-m u32` takes. */
const MOST_RANGES = 10;

/** `-m u32` on the IPv4 header: what `location` (`4&0x3FFF`) reads is in the set. */
export function u32Lines(location: string, set: RangeSet): readonly Match[] {
  const words = set.map(({ first, last }) => (first === last ? `${hex(first)}` : `${hex(first)}:${hex(last)}`));
  const lines: Match[] = [];
  for (let i = 0; i < words.length; i += MOST_RANGES)
    lines.push(option('u32', `--u32 "${location}=${words.slice(i, i + MOST_RANGES).join(',')}"`));
  return lines;
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
