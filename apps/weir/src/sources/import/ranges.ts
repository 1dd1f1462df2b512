import { type Family, type Ip, ip4, ip6, lastIp, type Prefix, printIp, printPrefix, rangePrefixes } from '@weir/wire/inet';

/** Whole numbers from `first` to `last`, both included. */
export interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/** In order, and apart from each other by at least one value. */
export type Ranges = readonly Range[];

export function range(first: number | bigint, last: number | bigint = first): Range {
  return { first: BigInt(first), last: BigInt(last) };
}

/** Puts ranges in order and together. */
export function union(ranges: readonly Range[]): Ranges {
  const sorted = [...ranges].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const out: { first: bigint; last: bigint }[] = [];
  for (const { first, last } of sorted) {
    const before = out.at(-1);
    if (before && first <= before.last + 1n) {
      if (last > before.last) before.last = last;
    } else out.push({ first, last });
  }
  return out;
}

export function intersect(a: Ranges, b: Ranges): Ranges {
  const out: Range[] = [];
  for (let i = 0, j = 0; ; ) {
    const x = a[i];
    const y = b[j];
    if (!x || !y) return out;
    const first = x.first > y.first ? x.first : y.first;
    const last = x.last < y.last ? x.last : y.last;
    if (first <= last) out.push({ first, last });
    if (x.last < y.last) i++;
    else j++;
  }
}

/** What of 0 to `max` is in none of them. */
export function complement(ranges: Ranges, max: bigint): Ranges {
  const out: Range[] = [];
  let next = 0n;
  for (const { first, last } of ranges) {
    if (first > next) out.push({ first: next, last: first - 1n });
    next = last + 1n;
  }
  if (next <= max) out.push({ first: next, last: max });
  return out;
}

export function sameRanges(a: Ranges, b: Ranges): boolean {
  return a.length === b.length && a.every((x, i) => x.first === b[i]?.first && x.last === b[i]?.last);
}

/** Whether each value of `inner` is in `outer`. */
export function within(inner: Ranges, outer: Ranges): boolean {
  return sameRanges(intersect(inner, outer), inner);
}

/** Values for a set of the filter language: `22 80..443`. */
export function printRanges(ranges: Ranges): string {
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}..${last}`)).join(' ');
}

/** Addresses of both families. */
export interface AddressSet {
  readonly v4: Ranges;
  readonly v6: Ranges;
}

const MAX: Readonly<Record<Family, bigint>> = { 4: (1n << 32n) - 1n, 6: (1n << 128n) - 1n };
const EVERY: Readonly<Record<Family, Ranges>> = { 4: [range(0, MAX[4])], 6: [range(0, MAX[6])] };
export const EVERY_ADDRESS: AddressSet = { v4: EVERY[4], v6: EVERY[6] };

function addressNumber(ip: Ip): bigint {
  if (ip.family === 4) return BigInt(ip.w0);
  return (BigInt(ip.w0) << 96n) | (BigInt(ip.w1) << 64n) | (BigInt(ip.w2) << 32n) | BigInt(ip.w3);
}

function address(family: Family, value: bigint): Ip {
  if (family === 4) return ip4(Number(value));
  const word = (shift: bigint): number => Number((value >> shift) & 0xffffffffn);
  return ip6(word(96n), word(64n), word(32n), word(0n));
}

/** Addresses from `first` to `last`, of one family. */
export function addressRange(first: Ip, last: Ip): AddressSet {
  const ranges = [range(addressNumber(first), addressNumber(last))];
  return first.family === 4 ? { v4: ranges, v6: [] } : { v4: [], v6: ranges };
}

export function prefixRange(prefix: Prefix): AddressSet {
  return addressRange(prefix, lastIp(prefix));
}

export function unionAddresses(sets: readonly AddressSet[]): AddressSet {
  return { v4: union(sets.flatMap((s) => s.v4)), v6: union(sets.flatMap((s) => s.v6)) };
}

export function intersectAddresses(a: AddressSet, b: AddressSet): AddressSet {
  return { v4: intersect(a.v4, b.v4), v6: intersect(a.v6, b.v6) };
}

export function complementAddresses(a: AddressSet): AddressSet {
  return { v4: complement(a.v4, MAX[4]), v6: complement(a.v6, MAX[6]) };
}

export function noAddress(a: AddressSet): boolean {
  return a.v4.length === 0 && a.v6.length === 0;
}

/** Only addresses of one family. */
export function onlyFamily(a: AddressSet, family: Family): AddressSet {
  return family === 4 ? { v4: a.v4, v6: [] } : { v4: [], v6: a.v6 };
}

/** Prefixes as text, host prefixes as addresses; a range becomes as many as it takes. */
export function printCidrs(a: AddressSet): string[] {
  return families(a).flatMap(({ family, first, last }) =>
    rangePrefixes(address(family, first), address(family, last)).map((p) =>
      p.length === (family === 4 ? 32 : 128) ? printIp(p) : printPrefix(p),
    ),
  );
}

/** Values for a set of the filter language: prefixes where a range is one, `first..last` otherwise. */
export function printAddresses(a: AddressSet): string[] {
  return families(a).map(({ family, first, last }) => {
    const ends = [address(family, first), address(family, last)] as const;
    const blocks = rangePrefixes(...ends);
    const only = blocks.length === 1 ? blocks[0] : undefined;
    if (!only) return `${printIp(ends[0])}..${printIp(ends[1])}`;
    return only.length === (family === 4 ? 32 : 128) ? printIp(only) : printPrefix(only);
  });
}

function families(a: AddressSet): readonly (Range & { readonly family: Family })[] {
  return [...a.v4.map((r) => ({ ...r, family: 4 as const })), ...a.v6.map((r) => ({ ...r, family: 6 as const }))];
}
