import type { IpSet, RangeSet } from '@weir/filter/ir';
import { clampSet, complementSet, containsInt, intersectSets, interval, MAX_IP4, MAX_IP6, rangeSet } from '@weir/filter/ir';
import { MISSING } from '../layout.ts';

/**
 * Something of a packet that rules are told apart by before any of their code runs:
 * - `address`: of both families
 * - `port`: of whichever protocol the packet is, TCP, UDP or SCTP
 * - `number`: a field of at most 17 bits
 */
export interface Dimension {
  readonly name: string;
  readonly kind: 'address' | 'port' | 'number';
  /** Of ports and numbers: the highest. */
  readonly max: number;
}

/** The values of a dimension that a rule takes: of ports and numbers the values are in `low`; of addresses IPv4 is in `low` and IPv6 in `high`. */
export interface Region {
  readonly low: RangeSet;
  readonly high: RangeSet;
  /** It also takes packets that do not have the field. */
  readonly missing: boolean;
}

const number = (name: string, max: number): Dimension => ({ name, kind: 'number', max });

export const PROTOCOL_DIMENSION: Dimension = number('ip.proto.num', 255);
export const SOURCE_PORT: Dimension = { name: 'source port', kind: 'port', max: 65_535 };
export const DESTINATION_PORT: Dimension = { name: 'destination port', kind: 'port', max: 65_535 };

/** Fields by name. The length of an IPv6 packet is its payload and 40. */
const FIELDS: ReadonlyMap<string, Dimension> = new Map(
  [
    { name: 'ip.src', kind: 'address', max: MAX_IP4 } as const,
    { name: 'ip.dst', kind: 'address', max: MAX_IP4 } as const,
    PROTOCOL_DIMENSION,
    number('ip.hdr_len', 15),
    number('ip.len', 65_575),
    number('ip.ttl', 255),
    number('ip.tos', 255),
    number('ip.dscp', 63),
    number('ip.id', 65_535),
    number('ip.frag_offset', 8_191),
    number('ip.frag', 1),
    number('ip6.frag_offset', 8_191),
    number('ip6.frag_more', 1),
    number('ip.opt.type', 255),
    number('ip6.next_header', 255),
    number('icmp.type', 255),
    number('icmp.code', 255),
    number('icmpv6.type', 255),
    number('icmpv6.code', 255),
    number('tcp.flags', 255),
    number('tcp.window', 65_535),
    number('udp.length', 65_535),
  ].map((dimension) => [dimension.name, dimension]),
);

export function dimensionOf(field: string): Dimension | undefined {
  return FIELDS.get(field);
}

/** A port field: its dimension, and the protocol that it is of. */
export const PORT_FIELDS: ReadonlyMap<string, { readonly dimension: Dimension; readonly protocol: number }> = new Map(
  [
    ['tcp', 6],
    ['udp', 17],
    ['sctp', 132],
  ].flatMap(([name, protocol]) => [
    [`${name}.srcport`, { dimension: SOURCE_PORT, protocol: Number(protocol) }] as const,
    [`${name}.dstport`, { dimension: DESTINATION_PORT, protocol: Number(protocol) }] as const,
  ]),
);

const NONE: RangeSet = [];

/** Where a number lies in the set, or, negated, where it does not or is missing. */
export function numberRegion({ max }: Dimension, set: RangeSet, negated: boolean): Region {
  const low = clampSet(set, 0, max);
  const missing = containsInt(set, MISSING) !== negated;
  return { low: negated ? complementSet(low, 0, max) : low, high: NONE, missing };
}

export function addressRegion(set: IpSet, negated: boolean): Region {
  if (!negated) return { low: set.v4, high: set.v6, missing: false };
  return { low: complementSet(set.v4, 0, MAX_IP4), high: complementSet(set.v6, 0, MAX_IP6), missing: true };
}

const bitRegions = new Map<string, Region>();

/** Where a number of up to eight bits has one of the bits of the mask. */
export function bitsRegion({ max }: Dimension, mask: number, negated: boolean): Region {
  const key = `${max} ${mask} ${negated}`;
  const known = bitRegions.get(key);
  if (known) return known;
  const values = Array.from({ length: max + 1 }, (_, value) => value).filter((value) => ((value & mask) !== 0) !== negated);
  const made = { low: rangeSet(values.map((value) => ({ first: value, last: value }))), high: NONE, missing: negated };
  if (bitRegions.size < MOST_BIT_REGIONS) bitRegions.set(key, made);
  return made;
}

/** Masks of a field are few. */
const MOST_BIT_REGIONS = 1024;

export function intersectRegions(a: Region, b: Region): Region {
  return { low: intersectSets([a.low, b.low]), high: intersectSets([a.high, b.high]), missing: a.missing && b.missing };
}

export function unionRegions(a: Region, b: Region): Region {
  return { low: rangeSet([...a.low, ...b.low]), high: rangeSet([...a.high, ...b.high]), missing: a.missing || b.missing };
}

export function isEmptyRegion({ low, high, missing }: Region): boolean {
  return low.length === 0 && high.length === 0 && !missing;
}

/** Whether every packet is in it. */
export function isWholeRegion({ kind, max }: Dimension, { low, high, missing }: Region): boolean {
  return missing && isWhole(low, max) && (kind !== 'address' || isWhole(high, MAX_IP6));
}

function isWhole(set: RangeSet, max: number | bigint): boolean {
  const [only, ...others] = set;
  return only !== undefined && others.length === 0 && BigInt(only.first) === 0n && BigInt(only.last) === BigInt(max);
}

/** The packets of one protocol. */
export function protocolRegion(protocol: number): Region {
  return { low: interval(protocol, protocol), high: NONE, missing: false };
}

export function equalRegions(a: Region, b: Region): boolean {
  return a.missing === b.missing && equalRanges(a.low, b.low) && equalRanges(a.high, b.high);
}

function equalRanges(a: RangeSet, b: RangeSet): boolean {
  return a === b || (a.length === b.length && a.every((range, i) => range.first === b[i]?.first && range.last === b[i]?.last));
}
