import type { Writer } from '@weir/wire/bytes';
import { AS_TRANS, type Asn, encodeIp, ip4, printIp } from '@weir/wire/inet';
import { UpdateSubcode } from '../notification.ts';
import type { Aggregator, PathAttributes, SessionContext } from '../types.ts';
import {
  type AttributeDescriptor,
  attribute,
  MalformedAttribute,
  OPTIONAL,
  OPTIONAL_TRANSITIVE,
  WELL_KNOWN,
  wordAt,
} from './descriptor.ts';

const ORIGINS = ['igp', 'egp', 'incomplete'] as const;

function exactly(length: number, start: number, end: number): void {
  if (end - start !== length) throw new MalformedAttribute(`${end - start} octets, not ${length}`, start, UpdateSubcode.attributeLength);
}

/** Why an attribute that belongs inside an AS is not used when an external neighbour sends it. */
function onlyInternal(rfc: string): (context: SessionContext) => { readonly reason: string; readonly rfc: string } | undefined {
  const unwanted = { reason: 'from an external neighbour', rfc };
  return (context) => (context.peerKind === 'ebgp' ? unwanted : undefined);
}

export const ORIGIN: AttributeDescriptor = attribute({
  type: 1,
  name: 'ORIGIN',
  key: 'origin',
  flags: WELL_KNOWN,
  malformed: 'treat-as-withdraw',
  rfc: 'RFC 7606 section 7.1',
  decode(bytes, start, end) {
    exactly(1, start, end);
    const origin = ORIGINS[bytes[start] as number];
    if (origin === undefined) throw new MalformedAttribute(`value ${bytes[start]}`, start, UpdateSubcode.invalidOrigin);
    return origin;
  },
  encode: (w, origin) => w.u8(ORIGINS.indexOf(origin)),
  toJson: (origin) => origin,
});

export const NEXT_HOP: AttributeDescriptor = attribute({
  type: 3,
  name: 'NEXT_HOP',
  key: 'nextHop',
  flags: WELL_KNOWN,
  malformed: 'treat-as-withdraw',
  rfc: 'RFC 7606 section 7.3',
  decode(bytes, start, end) {
    exactly(4, start, end);
    const address = wordAt(bytes, start);
    // Not a host's address (RFC 4271 section 6.3): unspecified, multicast, reserved and broadcast. Loopback is: peers on one machine use it.
    if (address === 0 || address >= 0xe0000000) {
      throw new MalformedAttribute(`${printIp(ip4(address))} is no host`, start, UpdateSubcode.invalidNextHop, 'RFC 7606 section 3 (e)');
    }
    return ip4(address);
  },
  encode: (w, address) => encodeIp(w, address),
  toJson: printIp,
});

export const MULTI_EXIT_DISC: AttributeDescriptor = attribute({
  type: 4,
  name: 'MULTI_EXIT_DISC',
  key: 'med',
  flags: OPTIONAL,
  malformed: 'treat-as-withdraw',
  rfc: 'RFC 7606 section 7.4',
  decode(bytes, start, end) {
    exactly(4, start, end);
    return wordAt(bytes, start);
  },
  encode: (w, med) => w.u32(med),
  toJson: (med) => med,
});

export const LOCAL_PREF: AttributeDescriptor = attribute({
  type: 5,
  name: 'LOCAL_PREF',
  key: 'localPref',
  flags: WELL_KNOWN,
  malformed: 'treat-as-withdraw',
  rfc: 'RFC 7606 section 7.5',
  unwanted: onlyInternal('RFC 7606 section 7.5'),
  decode(bytes, start, end) {
    exactly(4, start, end);
    return wordAt(bytes, start);
  },
  encode: (w, preference) => w.u32(preference),
  toJson: (preference) => preference,
});

export const ATOMIC_AGGREGATE: AttributeDescriptor = attribute({
  type: 6,
  name: 'ATOMIC_AGGREGATE',
  key: 'atomicAggregate',
  flags: WELL_KNOWN,
  malformed: 'attribute-discard',
  rfc: 'RFC 7606 section 7.6',
  decode(_bytes, start, end) {
    exactly(0, start, end);
    return true;
  },
  encode: (): void => undefined,
  derive: (attributes) => (attributes.atomicAggregate ? true : undefined),
  toJson: (present) => present,
});

function decodeAggregator(bytes: Uint8Array, start: number, end: number, width: 2 | 4): Aggregator {
  exactly(width + 4, start, end);
  const asn = width === 4 ? wordAt(bytes, start) : ((bytes[start] as number) << 8) | (bytes[start + 1] as number);
  if (asn === 0) throw new MalformedAttribute('AS 0', start, UpdateSubcode.optionalAttribute, 'RFC 7607 section 2');
  return { asn: asn as Asn, address: ip4(wordAt(bytes, start + width)) };
}

function encodeAggregator(w: Writer, aggregator: Aggregator, width: 2 | 4): void {
  if (width === 4) w.u32(aggregator.asn);
  else w.u16(aggregator.asn > 0xffff ? AS_TRANS : aggregator.asn);
  encodeIp(w, aggregator.address);
}

const aggregatorToJson = (a: Aggregator): { readonly as: number; readonly address: string } => ({ as: a.asn, address: printIp(a.address) });

export const AGGREGATOR: AttributeDescriptor = attribute({
  type: 7,
  name: 'AGGREGATOR',
  key: 'aggregator',
  flags: OPTIONAL_TRANSITIVE,
  malformed: 'attribute-discard',
  rfc: 'RFC 7606 section 7.7',
  decode: (bytes, start, end, context) => decodeAggregator(bytes, start, end, context.fourOctetAs ? 4 : 2),
  // Beside an AS4_AGGREGATOR it must say AS_TRANS, or both that and AS4_PATH are ignored (RFC 6793 section 4.2.3).
  derive: (attributes, context) =>
    attributes.aggregator && attributes.as4Aggregator && !context.fourOctetAs
      ? { asn: AS_TRANS, address: attributes.aggregator.address }
      : attributes.aggregator,
  encode: (w, aggregator, context) => encodeAggregator(w, aggregator, context.fourOctetAs ? 4 : 2),
  toJson: aggregatorToJson,
});

/** AS4_AGGREGATOR for a 2-octet peer: as received where it was, else AGGREGATOR where its AS number needs it. */
function deriveAs4Aggregator(attributes: PathAttributes, context: SessionContext): Aggregator | undefined {
  if (context.fourOctetAs) return undefined;
  return attributes.as4Aggregator ?? (attributes.aggregator && attributes.aggregator.asn > 0xffff ? attributes.aggregator : undefined);
}

export const AS4_AGGREGATOR: AttributeDescriptor = attribute({
  type: 18,
  name: 'AS4_AGGREGATOR',
  key: 'as4Aggregator',
  flags: OPTIONAL_TRANSITIVE,
  malformed: 'attribute-discard',
  rfc: 'RFC 6793 section 6',
  unwanted: (context) => (context.fourOctetAs ? { reason: 'from a 4-octet AS speaker', rfc: 'RFC 6793 section 4.1' } : undefined),
  decode: (bytes, start, end) => decodeAggregator(bytes, start, end, 4),
  encode: (w, aggregator) => encodeAggregator(w, aggregator, 4),
  derive: deriveAs4Aggregator,
  toJson: aggregatorToJson,
});

export const ORIGINATOR_ID: AttributeDescriptor = attribute({
  type: 9,
  name: 'ORIGINATOR_ID',
  key: 'originatorId',
  flags: OPTIONAL,
  malformed: 'treat-as-withdraw',
  rfc: 'RFC 7606 section 7.9',
  unwanted: onlyInternal('RFC 7606 section 7.9'),
  decode(bytes, start, end) {
    exactly(4, start, end);
    return ip4(wordAt(bytes, start));
  },
  encode: (w, id) => encodeIp(w, id),
  toJson: printIp,
});

export const CLUSTER_LIST: AttributeDescriptor = attribute({
  type: 10,
  name: 'CLUSTER_LIST',
  key: 'clusterList',
  flags: OPTIONAL,
  malformed: 'treat-as-withdraw',
  rfc: 'RFC 7606 section 7.10',
  unwanted: onlyInternal('RFC 7606 section 7.10'),
  decode(bytes, start, end) {
    if (end === start || (end - start) % 4 !== 0) {
      throw new MalformedAttribute(`${end - start} octets, not a multiple of 4`, start, UpdateSubcode.attributeLength);
    }
    const out = [];
    for (let at = start; at < end; at += 4) out.push(ip4(wordAt(bytes, at)));
    return out;
  },
  encode(w, ids) {
    for (const id of ids) encodeIp(w, id);
  },
  toJson: (ids) => ids.map(printIp),
});

/**
 * TLVs: type 1 · length 2 (with type and length) · value. The first AIGP TLV (type 1, length 11) holds the metric; other types are skipped. One that is malformed, or comes over
 * a session on which AIGP is off, is treated as an unrecognized non-transitive attribute (RFC 7311 sections 3.2 and 3.3); it is off by default towards external neighbours.
 */
export const AIGP: AttributeDescriptor = attribute({
  type: 26,
  name: 'AIGP',
  key: 'aigp',
  flags: OPTIONAL,
  malformed: 'attribute-discard',
  rfc: 'RFC 7311 section 3.2',
  wrongFlags: { action: 'attribute-discard', rfc: 'RFC 7311 section 3.2' },
  unwanted: onlyInternal('RFC 7311 section 3.3'),
  decode(bytes, start, end) {
    let metric: bigint | undefined;
    for (let at = start; at < end; ) {
      const length = end - at < 3 ? 0 : ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
      if (length < 3 || length > end - at) throw new MalformedAttribute('TLV overruns the attribute', at, UpdateSubcode.optionalAttribute);
      if (bytes[at] === 1) {
        if (length !== 11) throw new MalformedAttribute(`AIGP TLV of ${length} octets`, at, UpdateSubcode.optionalAttribute);
        metric ??= (BigInt(wordAt(bytes, at + 3)) << 32n) | BigInt(wordAt(bytes, at + 7));
      }
      at += length;
    }
    if (metric === undefined) throw new MalformedAttribute('no AIGP TLV', start, UpdateSubcode.optionalAttribute);
    return metric;
  },
  encode: (w, metric) => w.u8(1).u16(11).u64(metric),
  toJson: String,
});

export const ONLY_TO_CUSTOMER: AttributeDescriptor = attribute({
  type: 35,
  name: 'ONLY_TO_CUSTOMER',
  key: 'onlyToCustomer',
  flags: OPTIONAL_TRANSITIVE,
  malformed: 'treat-as-withdraw',
  rfc: 'RFC 9234 section 5',
  decode(bytes, start, end) {
    exactly(4, start, end);
    return wordAt(bytes, start) as Asn;
  },
  encode: (w, asn) => w.u32(asn),
  toJson: (asn) => asn,
});
