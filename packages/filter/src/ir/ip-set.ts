import { type Family, type Ip, ip4, ip6, lastIp, type Prefix, rangePrefixes } from '@weir/wire/inet';
import type { Int } from '../scheme/index.ts';
import type { IpSet, Range, RangeSet } from './expr.ts';
import { canonicalInt } from './int.ts';
import {
  complementSet,
  containsInt,
  EMPTY_SET,
  equalSets,
  includesSet,
  intersectSets,
  interval,
  oddSets,
  rangeSet,
  subtractSet,
  unionSets,
} from './range-set.ts';

/** The highest address of each family as an integer. */
export const MAX_IP4 = 0xffffffff;
export const MAX_IP6: bigint = (1n << 128n) - 1n;

const ALL_IP4: RangeSet = interval(0, MAX_IP4);
const ALL_IP6: RangeSet = interval(0, MAX_IP6);

export const EMPTY_IP_SET: IpSet = { v4: EMPTY_SET, v6: EMPTY_SET };
/** Every address of both families. */
export const ALL_IPS: IpSet = { v4: ALL_IP4, v6: ALL_IP6 };

/** Every address of one family. */
export function familySet(family: Family): IpSet {
  return family === 4 ? { v4: ALL_IP4, v6: EMPTY_SET } : { v4: EMPTY_SET, v6: ALL_IP6 };
}

/** The address as an integer in the canonical form. */
export function ipToInt(ip: Ip): Int {
  if (ip.family === 4) return ip.w0;
  if (ip.w0 === 0 && ip.w1 === 0 && ip.w2 < 0x200000) return ip.w2 * 0x100000000 + ip.w3;
  return (BigInt(ip.w0) << 96n) | (BigInt(ip.w1) << 64n) | (BigInt(ip.w2) << 32n) | BigInt(ip.w3);
}

/** RangeError when it is no address of the family. */
export function intToIp(value: Int, family: Family): Ip {
  if (value < 0 || value > (family === 4 ? MAX_IP4 : MAX_IP6)) throw new RangeError(`not an IPv${family} address: ${value}`);
  if (family === 4) return ip4(Number(value));
  const wide = BigInt(value);
  const word = (shift: bigint): number => Number((wide >> shift) & 0xffffffffn);
  return ip6(word(96n), word(64n), word(32n), word(0n));
}

/** Ranges of addresses (an address alone has no `last`), in any order. RangeError when families differ or one ends before it begins. */
export function ipSet(ranges: Iterable<{ readonly first: Ip; readonly last?: Ip | undefined }>): IpSet {
  const v4: Range[] = [];
  const v6: Range[] = [];
  for (const { first, last = first } of ranges) {
    if (first.family !== last.family) throw new RangeError('not a range of addresses');
    (first.family === 4 ? v4 : v6).push({ first: ipToInt(first), last: ipToInt(last) });
  }
  return { v4: rangeSet(v4), v6: rangeSet(v6) };
}

export function ipSetOfPrefixes(prefixes: Iterable<Prefix>): IpSet {
  const ranges: { first: Ip; last: Ip }[] = [];
  for (const prefix of prefixes) ranges.push({ first: prefix, last: lastIp(prefix) });
  return ipSet(ranges);
}

/** The set as ranges of addresses, IPv4 first, in order. */
export function ipRanges(set: IpSet): { readonly first: Ip; readonly last: Ip }[] {
  const of = (ranges: RangeSet, family: Family): { first: Ip; last: Ip }[] =>
    ranges.map((r) => ({ first: intToIp(r.first, family), last: intToIp(r.last, family) }));
  return [...of(set.v4, 4), ...of(set.v6, 6)];
}

/** The fewest prefixes that are exactly the set, IPv4 first, in order. */
export function ipSetPrefixes(set: IpSet): Prefix[] {
  return ipRanges(set).flatMap((range) => rangePrefixes(range.first, range.last));
}

export function containsIp(set: IpSet, ip: Ip): boolean {
  if (ip.family === 4) return set.v4.length > 0 && containsInt(set.v4, ip.w0);
  return set.v6.length > 0 && containsInt(set.v6, ipToInt(ip));
}

export function isEmptyIpSet(set: IpSet): boolean {
  return set.v4.length === 0 && set.v6.length === 0;
}

export function equalIpSets(a: IpSet, b: IpSet): boolean {
  return equalSets(a.v4, b.v4) && equalSets(a.v6, b.v6);
}

export function unionIpSets(sets: readonly IpSet[]): IpSet {
  return { v4: unionSets(sets.map((s) => s.v4)), v6: unionSets(sets.map((s) => s.v6)) };
}

export function intersectIpSets(sets: readonly IpSet[]): IpSet {
  return { v4: intersectSets(sets.map((s) => s.v4)), v6: intersectSets(sets.map((s) => s.v6)) };
}

export function oddIpSets(sets: readonly IpSet[]): IpSet {
  return { v4: oddSets(sets.map((s) => s.v4)), v6: oddSets(sets.map((s) => s.v6)) };
}

export function subtractIpSet(from: IpSet, what: IpSet): IpSet {
  return { v4: subtractSet(from.v4, what.v4), v6: subtractSet(from.v6, what.v6) };
}

/** Every address that is not in the set. */
export function complementIpSet(set: IpSet): IpSet {
  return { v4: complementSet(set.v4, 0, MAX_IP4), v6: complementSet(set.v6, 0, MAX_IP6) };
}

/** Whether every address of `inner` is one of `outer`. */
export function includesIpSet(outer: IpSet, inner: IpSet): boolean {
  return includesSet(outer.v4, inner.v4) && includesSet(outer.v6, inner.v6);
}

/**
 * The addresses that `cidr(address, bits4, bits6)` brings into the set: those whose first bits, with the rest zero, are one of its members.
 */
export function uncutIpSet(set: IpSet, bits4: number, bits6: number): IpSet {
  return { v4: uncut(set.v4, 32, bits4), v6: uncut(set.v6, 128, bits6) };
}

function uncut(set: RangeSet, width: number, bits: number): RangeSet {
  const size = 1n << BigInt(width - bits);
  const out: Range[] = [];
  for (const range of set) {
    const first = ((BigInt(range.first) + size - 1n) / size) * size;
    const last = (BigInt(range.last) / size) * size;
    if (first <= last) out.push({ first: canonicalInt(first), last: canonicalInt(last + size - 1n) });
  }
  return rangeSet(out);
}
