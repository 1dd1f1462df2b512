import type { MetaKey } from '@weir/netlink/nftables';
import type { Family } from '@weir/wire/inet';

/** Where the bytes of a field are. */
export type Load =
  | { readonly kind: 'payload'; readonly base: 'network' | 'transport'; readonly offset: number; readonly length: number }
  | { readonly kind: 'meta'; readonly key: MetaKey; readonly length: number }
  /** In an IPv6 extension header. */
  | { readonly kind: 'extension'; readonly type: number; readonly offset: number; readonly length: number };

/** A field as nf_tables and nft know it. */
export interface FieldInfo {
  /** In an nft rule. */
  readonly text: string;
  readonly load: Load;
  /** Bits of the value, and how many bits of what is loaded lie below it. */
  readonly bits: number;
  readonly shift: number;
  /** What the packet must be for the field to be there. */
  readonly family: Family | undefined;
  readonly protocol: number | undefined;
  /** Type of a set's keys as nft numbers it, and its name where it has one. */
  readonly type: number;
  readonly typeName: string | undefined;
  /** Host order: a number of this machine and not of the packet. */
  readonly order: 'big' | 'host';
}

const INTEGER = 4;
const TYPES: Readonly<Record<string, number>> = {
  ipv4_addr: 7,
  ipv6_addr: 8,
  inet_proto: 12,
  inet_service: 13,
  icmp_type: 14,
  tcp_flag: 15,
  mark: 19,
  uid: 24,
  icmpv6_type: 29,
  icmp_code: 32,
  icmpv6_code: 33,
  dscp: 36,
};

interface Extra {
  readonly type?: string;
  readonly bits?: number;
  readonly shift?: number;
}

function define(
  text: string,
  load: Load,
  family: Family | undefined,
  protocol: number | undefined,
  order: 'big' | 'host',
  extra: Extra,
): FieldInfo {
  const { type, bits = load.length * 8, shift = 0 } = extra;
  return {
    text,
    load,
    bits,
    shift,
    family,
    protocol,
    type: type === undefined ? INTEGER : (TYPES[type] ?? INTEGER),
    typeName: type,
    order,
  };
}

function network(text: string, family: Family, offset: number, length: number, extra: Extra = {}): FieldInfo {
  return define(text, { kind: 'payload', base: 'network', offset, length }, family, undefined, 'big', extra);
}

function transport(
  text: string,
  protocol: number | undefined,
  offset: number,
  length: number,
  extra: Extra = {},
  family?: Family,
): FieldInfo {
  return define(text, { kind: 'payload', base: 'transport', offset, length }, family, protocol, 'big', extra);
}

function meta(text: string, key: MetaKey, length: number, order: 'big' | 'host', extra: Extra = {}): FieldInfo {
  return define(text, { kind: 'meta', key, length }, undefined, undefined, order, extra);
}

const service = { type: 'inet_service' };

export type FieldName =
  | 'saddr4'
  | 'daddr4'
  | 'saddr6'
  | 'daddr6'
  | 'hdrlength4'
  | 'length4'
  | 'length6'
  | 'ttl4'
  | 'ttl6'
  | 'tos4'
  | 'tos6'
  | 'dscp4'
  | 'dscp6'
  | 'id4'
  | 'fragment4'
  | 'fragmentOffset4'
  | 'fragmentOffset6'
  | 'moreFragments6'
  | 'option4'
  | 'flowLabel6'
  | 'nextHeader6'
  | 'icmpType'
  | 'icmpCode'
  | 'icmpv6Type'
  | 'icmpv6Code'
  | 'tcpFlags'
  | 'tcpFlagsOctet'
  | 'tcpSport'
  | 'tcpDport'
  | 'tcpWindow'
  | 'udpSport'
  | 'udpDport'
  | 'udpLength'
  | 'sctpSport'
  | 'sctpDport'
  | 'sport'
  | 'dport'
  | 'protocol'
  | 'mark'
  | 'length'
  | 'uid';

export const FIELDS: Readonly<Record<FieldName, FieldInfo>> = {
  saddr4: network('ip saddr', 4, 12, 4, { type: 'ipv4_addr' }),
  daddr4: network('ip daddr', 4, 16, 4, { type: 'ipv4_addr' }),
  saddr6: network('ip6 saddr', 6, 8, 16, { type: 'ipv6_addr' }),
  daddr6: network('ip6 daddr', 6, 24, 16, { type: 'ipv6_addr' }),
  hdrlength4: network('ip hdrlength', 4, 0, 1, { bits: 4 }),
  length4: network('ip length', 4, 2, 2),
  length6: network('ip6 length', 6, 4, 2),
  ttl4: network('ip ttl', 4, 8, 1),
  ttl6: network('ip6 hoplimit', 6, 7, 1),
  tos4: network('@nh,8,8', 4, 1, 1),
  tos6: network('@nh,4,8', 6, 0, 2, { bits: 8, shift: 4 }),
  dscp4: network('ip dscp', 4, 1, 1, { bits: 6, shift: 2, type: 'dscp' }),
  dscp6: network('ip6 dscp', 6, 0, 2, { bits: 6, shift: 6, type: 'dscp' }),
  id4: network('ip id', 4, 4, 2),
  /** More fragments, and the offset. */
  fragment4: network('@nh,48,16', 4, 6, 2),
  fragmentOffset4: network('@nh,51,13', 4, 6, 2, { bits: 13 }),
  fragmentOffset6: define('frag frag-off', { kind: 'extension', type: 44, offset: 2, length: 2 }, 6, undefined, 'big', {
    bits: 13,
    shift: 3,
  }),
  moreFragments6: define('frag more-fragments', { kind: 'extension', type: 44, offset: 3, length: 1 }, 6, undefined, 'big', { bits: 1 }),
  option4: network('@nh,160,8', 4, 20, 1),
  flowLabel6: network('ip6 flowlabel', 6, 1, 3, { bits: 20 }),
  nextHeader6: network('ip6 nexthdr', 6, 6, 1, { type: 'inet_proto' }),
  icmpType: transport('icmp type', 1, 0, 1, { type: 'icmp_type' }, 4),
  icmpCode: transport('icmp code', 1, 1, 1, { type: 'icmp_code' }, 4),
  icmpv6Type: transport('icmpv6 type', 58, 0, 1, { type: 'icmpv6_type' }, 6),
  icmpv6Code: transport('icmpv6 code', 58, 1, 1, { type: 'icmpv6_code' }, 6),
  tcpFlags: transport('tcp flags', 6, 13, 1, { type: 'tcp_flag' }),
  /** The octet as a number; nft takes `tcp flags 18` for one of two flags. */
  tcpFlagsOctet: transport('@th,104,8', 6, 13, 1),
  tcpSport: transport('tcp sport', 6, 0, 2, service),
  tcpDport: transport('tcp dport', 6, 2, 2, service),
  tcpWindow: transport('tcp window', 6, 14, 2),
  udpSport: transport('udp sport', 17, 0, 2, service),
  udpDport: transport('udp dport', 17, 2, 2, service),
  udpLength: transport('udp length', 17, 4, 2),
  sctpSport: transport('sctp sport', 132, 0, 2, service),
  sctpDport: transport('sctp dport', 132, 2, 2, service),
  /** Of any protocol. */
  sport: transport('th sport', undefined, 0, 2, service),
  dport: transport('th dport', undefined, 2, 2, service),
  protocol: meta('meta l4proto', 'l4proto', 1, 'big', { type: 'inet_proto' }),
  mark: meta('meta mark', 'mark', 4, 'host', { type: 'mark' }),
  length: meta('meta length', 'len', 4, 'host'),
  uid: meta('meta skuid', 'skuid', 4, 'host', { type: 'uid' }),
};

/** A stretch of a header that has no name: `start` and `bits` count bits. */
export interface SliceField {
  readonly base: 'network' | 'transport';
  readonly start: number;
  readonly bits: number;
  readonly family?: Family;
  readonly protocol?: number;
}

/** The bytes that hold the bits, and where these lie in them. */
function sliceInfo({ base, start, bits, family, protocol }: SliceField): FieldInfo {
  const offset = start >>> 3;
  const end = (start + bits + 7) >>> 3;
  return {
    text: `@${base === 'network' ? 'nh' : 'th'},${start},${bits}`,
    load: { kind: 'payload', base, offset, length: end - offset },
    bits,
    shift: end * 8 - start - bits,
    family,
    protocol,
    type: INTEGER,
    typeName: undefined,
    order: 'big',
  };
}

export function fieldInfo(field: FieldName | SliceField): FieldInfo {
  return typeof field === 'string' ? FIELDS[field] : sliceInfo(field);
}

/** Whether nft writes the conditions on family and protocol itself when it reads the field's name. */
export function impliesGuards(info: FieldInfo): boolean {
  return !info.text.startsWith('@');
}
