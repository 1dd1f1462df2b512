import type { NlriRun } from '@weir/bgp/codec';

/** The prefixes that simulated clients know: hosts of 10.0.0.0/9, then /64s of 2001:db8::/32. A prefix is its number there. */
export interface Universe {
  readonly v4: number;
  readonly v6: number;
}

/** As RFC 1997 has it. Each is one bit of what a prefix is held with; a prefix without any of them has `OTHER`. */
export const MARKS: readonly { readonly text: string; readonly value: number }[] = [1, 2, 3, 4].map((low) => ({
  text: `65000:${low}`,
  value: ((65_000 << 16) | low) >>> 0,
}));
export const OTHER = 0x80;

const FIRST_V4 = 0x0a000000;
const FIRST_V6 = 0x20010db8;

export function sizeOf({ v4, v6 }: Universe): number {
  return v4 + v6;
}

/** The text of a prefix by its number. */
export function printNumber({ v4 }: Universe, number: number): string {
  if (number < v4) return `10.${number >>> 16}.${(number >>> 8) & 255}.${number & 255}/32`;
  const low = number - v4;
  return low === 0 ? '2001:db8::/64' : `2001:db8:${(low >>> 16).toString(16)}:${(low & 0xffff).toString(16)}::/64`;
}

/** The number of each prefix of a run; -1 where it is none of these. */
export function numberAt({ v4, v6 }: Universe, run: NlriRun, i: number): number {
  if (run.family === 'ipv4 unicast') {
    const number = (run.words[i] ?? 0) - FIRST_V4;
    return run.lengths[i] === 32 && number >= 0 && number < v4 ? number : -1;
  }
  const at = i * 4;
  const number = run.words[at + 1] ?? 0;
  const rest = (run.words[at + 2] ?? 0) | (run.words[at + 3] ?? 0);
  return run.lengths[i] === 64 && run.words[at] === FIRST_V6 && rest === 0 && number < v6 ? v4 + number : -1;
}
