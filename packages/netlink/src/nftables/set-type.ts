import { encodeTlvs, type Tlv, textTlv, u32Tlv } from './userdata.ts';

/** Types of keys and values as nft numbers them; lengths are in bytes, byte order is what nft records for printing. */
const TYPES = {
  ipv4_addr: { type: 7, length: 4, order: 'big' },
  ipv6_addr: { type: 8, length: 16, order: 'big' },
  ether_addr: { type: 9, length: 6, order: 'big' },
  ether_type: { type: 10, length: 2, order: 'big' },
  inet_proto: { type: 12, length: 1, order: 'none' },
  inet_service: { type: 13, length: 2, order: 'big' },
  icmp_type: { type: 14, length: 1, order: 'big' },
  tcp_flag: { type: 15, length: 1, order: 'big' },
  mark: { type: 19, length: 4, order: 'host' },
  iface_index: { type: 20, length: 4, order: 'host' },
  ct_state: { type: 26, length: 4, order: 'host' },
  icmpv6_type: { type: 29, length: 1, order: 'big' },
  ifname: { type: 41, length: 16, order: 'host' },
} as const;

export type SetTypeName = keyof typeof TYPES;

/** What nft records about a type: concatenations, verdicts and some types have no order. */
export type ByteOrder = 'none' | 'host' | 'big';

/** A key or value as the kernel and nft describe it. */
export interface SetType {
  readonly type: number;
  /** Bytes, with each field of a concatenation padded to four. */
  readonly length: number;
  readonly byteOrder: ByteOrder;
  /** Of a concatenation: the unpadded length of each field. */
  readonly fields?: readonly number[];
}

/** One type, or the concatenation of several (six bits of the number for each, at most five). */
export function setType(...names: readonly SetTypeName[]): SetType {
  const [first] = names;
  if (first === undefined || names.length > 5) throw new RangeError(`a key of ${names.length} fields: 1 to 5`);
  if (names.length === 1) {
    const { type, length, order } = TYPES[first];
    return { type, length, byteOrder: order };
  }
  let type = 0;
  let length = 0;
  for (const name of names) {
    type = (type << 6) | TYPES[name].type;
    length += (TYPES[name].length + 3) & ~3;
  }
  return { type, length, byteOrder: 'none', fields: names.map((name) => TYPES[name].length) };
}

/** What nft keeps with a set so that it lists it as it was written. */
export interface SetDescription {
  readonly keyByteOrder?: ByteOrder;
  readonly dataByteOrder?: ByteOrder;
  /** `auto-merge`. */
  readonly mergeElements?: boolean;
  readonly comment?: string;
}

/** By the number that nft writes. */
export const BYTE_ORDERS: readonly ByteOrder[] = ['none', 'host', 'big'];

/** A set's user data, as nft writes it. */
export function encodeSetDescription(description: SetDescription): Uint8Array {
  const tlvs: Tlv[] = [];
  if (description.keyByteOrder) tlvs.push(u32Tlv(0, BYTE_ORDERS.indexOf(description.keyByteOrder)));
  if (description.dataByteOrder) tlvs.push(u32Tlv(1, BYTE_ORDERS.indexOf(description.dataByteOrder)));
  if (description.mergeElements) tlvs.push(u32Tlv(2, 1));
  if (description.comment !== undefined) tlvs.push(textTlv(7, description.comment));
  return encodeTlvs(tlvs);
}
