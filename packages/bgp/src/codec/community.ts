import type { LargeCommunity } from './types.ts';

/** Well-known communities by name (RFC 1997, 3765, 7999, 8326, 9494 and the IANA registry). */
export const WELL_KNOWN_COMMUNITIES: Readonly<Record<string, number>> = {
  'graceful-shutdown': 0xffff0000,
  'accept-own': 0xffff0001,
  'llgr-stale': 0xffff0006,
  'no-llgr': 0xffff0007,
  blackhole: 0xffff029a,
  'no-export': 0xffffff01,
  'no-advertise': 0xffffff02,
  'no-export-subconfed': 0xffffff03,
  'no-peer': 0xffffff04,
};

const NAME_OF: ReadonlyMap<number, string> = new Map(Object.entries(WELL_KNOWN_COMMUNITIES).map(([name, value]) => [value, name]));

/** `64512:80`. Always numeric, so that it can be compared as text; `communityName` gives the name. */
export function printCommunity(value: number): string {
  return `${value >>> 16}:${value & 0xffff}`;
}

/** `blackhole` and the like, or undefined. */
export function communityName(value: number): string | undefined {
  return NAME_OF.get(value >>> 0);
}

/** `64512:80` or a well-known name; undefined when it is neither. */
export function parseCommunity(text: string): number | undefined {
  const named = Object.hasOwn(WELL_KNOWN_COMMUNITIES, text) ? WELL_KNOWN_COMMUNITIES[text] : undefined;
  if (named !== undefined) return named;
  const parts = parseNumbers(text, 2, 0xffff);
  return parts ? (((parts[0] ?? 0) << 16) | (parts[1] ?? 0)) >>> 0 : undefined;
}

/** `64512:1:2`. */
export function printLargeCommunity(c: LargeCommunity): string {
  return `${c.global}:${c.local1}:${c.local2}`;
}

/** Three decimal numbers of 32 bits with colons between (RFC 8092 section 4); undefined otherwise. */
export function parseLargeCommunity(text: string): LargeCommunity | undefined {
  const parts = parseNumbers(text, 3, 0xffffffff);
  return parts ? { global: parts[0] ?? 0, local1: parts[1] ?? 0, local2: parts[2] ?? 0 } : undefined;
}

/** Exactly `count` decimal numbers without leading zeros, each at most `max`, with colons between. */
function parseNumbers(text: string, count: number, max: number): readonly number[] | undefined {
  const parts = text.split(':');
  if (parts.length !== count) return undefined;
  const out: number[] = [];
  for (const part of parts) {
    const value = Number(part);
    if (!/^(0|[1-9]\d{0,9})$/.test(part) || value > max) return undefined;
    out.push(value);
  }
  return out;
}
