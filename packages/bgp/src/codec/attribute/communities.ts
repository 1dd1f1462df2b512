import { ip6, printIp } from '@weir/wire/inet';
import { printCommunity, printLargeCommunity } from '../community.ts';
import { printExtendedCommunity } from '../extended-community.ts';
import { UpdateSubcode } from '../notification.ts';
import type { ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity } from '../types.ts';
import { type AttributeDescriptor, attribute, MalformedAttribute, OPTIONAL_TRANSITIVE, wordAt } from './descriptor.ts';

function multipleOf(width: number, start: number, end: number): void {
  if (end === start || (end - start) % width !== 0) {
    throw new MalformedAttribute(`${end - start} octets, not a non-zero multiple of ${width}`, start, UpdateSubcode.optionalAttribute);
  }
}

export const COMMUNITIES: AttributeDescriptor = attribute({
  type: 8,
  name: 'COMMUNITIES',
  key: 'communities',
  flags: OPTIONAL_TRANSITIVE,
  malformed: 'treat-as-withdraw',
  rfc: 'RFC 7606 section 7.8',
  decode(bytes, start, end) {
    multipleOf(4, start, end);
    const out: number[] = [];
    for (let at = start; at < end; at += 4) out.push(wordAt(bytes, at));
    return out;
  },
  encode(w, communities) {
    for (const c of communities) w.u32(c);
  },
  derive: (attributes) => nonEmpty(attributes.communities),
  toJson: (communities) => communities.map(printCommunity),
});

export const EXTENDED_COMMUNITIES: AttributeDescriptor = attribute({
  type: 16,
  name: 'EXTENDED COMMUNITIES',
  key: 'extendedCommunities',
  flags: OPTIONAL_TRANSITIVE,
  malformed: 'treat-as-withdraw',
  rfc: 'RFC 7606 section 7.14',
  decode(bytes, start, end) {
    multipleOf(8, start, end);
    const out: ExtendedCommunity[] = [];
    for (let at = start; at < end; at += 8) out.push({ high: wordAt(bytes, at), low: wordAt(bytes, at + 4) });
    return out;
  },
  encode(w, communities) {
    for (const c of communities) w.u32(c.high).u32(c.low);
  },
  derive: (attributes) => nonEmpty(attributes.extendedCommunities),
  toJson: (communities) => communities.map(printExtendedCommunity),
});

export const IPV6_EXTENDED_COMMUNITIES: AttributeDescriptor = attribute({
  type: 25,
  name: 'IPv6 EXTENDED COMMUNITIES',
  key: 'ipv6ExtendedCommunities',
  flags: OPTIONAL_TRANSITIVE,
  malformed: 'treat-as-withdraw',
  rfc: 'RFC 7606 section 7.15',
  decode(bytes, start, end) {
    multipleOf(20, start, end);
    const out: Ipv6ExtendedCommunity[] = [];
    for (let at = start; at < end; at += 20) {
      out.push({
        typeHigh: bytes[at] as number,
        typeLow: bytes[at + 1] as number,
        address: ip6(wordAt(bytes, at + 2), wordAt(bytes, at + 6), wordAt(bytes, at + 10), wordAt(bytes, at + 14)),
        local: ((bytes[at + 18] as number) << 8) | (bytes[at + 19] as number),
      });
    }
    return out;
  },
  encode(w, communities) {
    for (const { typeHigh, typeLow, address: a, local } of communities) {
      w.u8(typeHigh).u8(typeLow).u32(a.w0).u32(a.w1).u32(a.w2).u32(a.w3).u16(local);
    }
  },
  derive: (attributes) => nonEmpty(attributes.ipv6ExtendedCommunities),
  toJson: (communities) => communities.map((c) => ({ type: c.typeHigh, subtype: c.typeLow, address: printIp(c.address), local: c.local })),
});

/** Up to this many are compared one by one; more go through a set. */
const FEW = 16;

/** Keeps the first of equal ones, as RFC 8092 section 5 asks. */
function withoutDuplicates(list: readonly LargeCommunity[]): readonly LargeCommunity[] {
  if (list.length > FEW) return [...new Map(list.map((c) => [printLargeCommunity(c), c])).values()];
  const equal = (a: LargeCommunity, b: LargeCommunity): boolean => a.global === b.global && a.local1 === b.local1 && a.local2 === b.local2;
  return list.some((c, i) => list.findIndex((d) => equal(c, d)) < i)
    ? list.filter((c, i) => list.findIndex((d) => equal(c, d)) === i)
    : list;
}

export const LARGE_COMMUNITIES: AttributeDescriptor = attribute({
  type: 32,
  name: 'LARGE_COMMUNITIES',
  key: 'largeCommunities',
  flags: OPTIONAL_TRANSITIVE,
  malformed: 'treat-as-withdraw',
  rfc: 'RFC 8092 section 6',
  decode(bytes, start, end) {
    multipleOf(12, start, end);
    const out: LargeCommunity[] = [];
    for (let at = start; at < end; at += 12) {
      out.push({ global: wordAt(bytes, at), local1: wordAt(bytes, at + 4), local2: wordAt(bytes, at + 8) });
    }
    return out.length === 1 ? out : withoutDuplicates(out);
  },
  encode(w, communities) {
    for (const c of communities) w.u32(c.global).u32(c.local1).u32(c.local2);
  },
  derive: (attributes) => nonEmpty(attributes.largeCommunities),
  toJson: (communities) => communities.map(printLargeCommunity),
});

/** An attribute of no communities is malformed on the wire: it is left out. */
function nonEmpty<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list && list.length > 0 ? list : undefined;
}
