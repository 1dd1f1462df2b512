import {
  type AsPathSegment,
  BgpError,
  decodeUpdate,
  type ExtendedCommunity,
  encodeAttributes,
  HEADER_SIZE,
  type Ipv6ExtendedCommunity,
  MAX_EXTENDED_MESSAGE,
  type MessageError,
  MessageType,
  type PathAttributes,
  type SessionContext,
  type UnknownAttribute,
} from '@weir/bgp/codec';
import { Writer } from '@weir/wire/bytes';
import { type Asn, asn, type Ip, ip6, parseIp, printIp } from '@weir/wire/inet';
import { array, integer, isObject, type JsonObject, type JsonValue, LineError, object, text } from './json.ts';

const U16 = 0xffff;
const U32 = 0xffffffff;
/** Set by ExaBGP on every unknown transitive attribute, so that it says nothing of the peer's. */
const PARTIAL = 0x20;

/** Path attributes and their octets, as the codec would have read them from the wire with AS numbers of four octets. */
export interface ReadAttributes {
  readonly attributes: PathAttributes;
  readonly raw: Uint8Array;
  readonly errors: readonly MessageError[];
  /** They are such that the routes count as withdrawn (RFC 7606 section 2). */
  readonly withdrawn: boolean;
}

/** Attributes that were read before, since most updates share theirs with others: at most a thousand, then it begins anew. */
export class KnownAttributes {
  readonly #known = new Map<string, ReadAttributes>();

  get(key: string): ReadAttributes | undefined {
    return this.#known.get(key);
  }

  add(key: string, read: ReadAttributes): ReadAttributes {
    if (this.#known.size >= 1000) this.#known.clear();
    this.#known.set(key, read);
    return read;
  }
}

/** A route to everything with the attributes around it: IPv4, and IPv6 with a next hop that nobody looks at. */
const IPV4_ROUTE = Uint8Array.of(0);
const IPV6_REACH = Uint8Array.of(0x80, 14, 22, 0, 2, 1, 16, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0);

/**
 * The attributes of an update line. `nextHop` is NEXT_HOP of the message, which ExaBGP prints with the routes. They are written as octets, with a route, and read
 * again, so that everything that the codec does to what a peer sends (RFC 7606) is done to these too. Throws LineError.
 */
export function readAttributes(
  value: JsonObject,
  nextHop: Ip | undefined,
  context: SessionContext,
  known?: KnownAttributes,
): ReadAttributes {
  if (!known) return readAnew(value, nextHop, context);
  const key = `${context.peerKind} ${context.localAs} ${context.peerAs} ${nextHop ? printIp(nextHop) : ''} ${JSON.stringify(value)}`;
  return known.get(key) ?? known.add(key, readAnew(value, nextHop, context));
}

function readAnew(value: JsonObject, nextHop: Ip | undefined, context: SessionContext): ReadAttributes {
  const classic = nextHop?.family === 4;
  const w = new Writer(512);
  if (!classic) w.bytes(IPV6_REACH);
  encodeAttributes(w, { ...attributesOf(value), ...(classic ? { nextHop } : {}) }, context);
  const octets = w.finish();
  const at = HEADER_SIZE + 4;
  const length = at + octets.length + (classic ? IPV4_ROUTE.length : 0);
  if (length > MAX_EXTENDED_MESSAGE) throw new LineError('the attributes are longer than a message');
  const message = new Uint8Array(length);
  message.fill(0xff, 0, 16);
  message[16] = length >>> 8;
  message[17] = length & 0xff;
  message[18] = MessageType.update;
  message[at - 2] = octets.length >>> 8;
  message[at - 1] = octets.length & 0xff;
  message.set(octets, at);
  if (classic) message.set(IPV4_ROUTE, at + octets.length);
  try {
    const families = ['ipv4 unicast', 'ipv6 unicast'] as const;
    const {
      attributes,
      rawAttributes: raw,
      errors,
      announce,
    } = decodeUpdate(message, { ...context, families, addPath: [], extendedMessage: true });
    return { attributes, raw, errors, withdrawn: announce.length === 0 };
  } catch (error) {
    if (error instanceof BgpError) throw new LineError(`attributes: ${error.message}`);
    throw error;
  }
}

function attributesOf(value: JsonObject): PathAttributes {
  const { origin, med } = value;
  const segments = asPath(value);
  const unknown = Object.entries(value).flatMap(([key, v]) => unknownAttribute(key, v));
  const ipv6 = [...list(value, 'extended-community-ipv6').map(ipv6Community), ...ipv6Communities4(value[IPV6_COMMUNITIES])];
  const cluster = list(value, 'cluster-list').map((v) => ip(v, 'cluster-list'));
  const communities = list(value, 'community').map(community);
  const large = list(value, 'large-community').map(largeCommunity);
  const extended = list(value, 'extended-community').map(extendedCommunity);
  return {
    ...(origin === undefined ? {} : { origin: originOf(origin) }),
    ...(value['as-path'] === undefined && segments.length === 0 ? {} : { asPath: segments }),
    ...(med === undefined ? {} : { med: integer(med, U32, 'med') }),
    ...(value['local-preference'] === undefined ? {} : { localPref: integer(value['local-preference'], U32, 'local-preference') }),
    ...(value['atomic-aggregate'] === true ? { atomicAggregate: true } : {}),
    ...(value['aggregator'] === undefined ? {} : { aggregator: aggregator(value['aggregator']) }),
    ...(value['originator-id'] === undefined ? {} : { originatorId: ip(value['originator-id'], 'originator-id') }),
    ...(cluster.length > 0 ? { clusterList: cluster } : {}),
    ...(communities.length > 0 ? { communities } : {}),
    ...(large.length > 0 ? { largeCommunities: large } : {}),
    ...(extended.length > 0 ? { extendedCommunities: extended } : {}),
    ...(ipv6.length > 0 ? { ipv6ExtendedCommunities: ipv6 } : {}),
    ...(unknown.length > 0 ? { unknown } : {}),
  };
}

function list(value: JsonObject, key: string): readonly JsonValue[] {
  return value[key] === undefined ? [] : array(value[key], key);
}

function originOf(value: JsonValue): NonNullable<PathAttributes['origin']> {
  if (value === 'igp' || value === 'egp' || value === 'incomplete') return value;
  throw new LineError('origin is none of igp, egp, incomplete');
}

function asNumbers(value: JsonValue | undefined, what: string): readonly Asn[] {
  return array(value, what).map((v) => asn(integer(v, U32, what)));
}

const SEGMENTS: { readonly [element: string]: AsPathSegment['kind'] } = {
  'as-sequence': 'sequence',
  'as-set': 'set',
  'as-confed-sequence': 'confed-sequence',
  'as-confed-set': 'confed-set',
  'confed-sequence': 'confed-sequence',
  'confed-set': 'confed-set',
};

/** 4.x prints one list for all sequences and one for all sets; 5.x numbers the segments. */
function asPath(value: JsonObject): readonly AsPathSegment[] {
  const path = value['as-path'];
  if (isObject(path)) {
    return Object.entries(path)
      .sort(([a], [b]) => Number(a) - Number(b))
      .map(([, entry]) => {
        const { element, value: numbers } = object(entry, 'as-path');
        const kind = SEGMENTS[text(element, 'as-path element')];
        if (kind === undefined) throw new LineError('as-path has an element that is not known');
        return { kind, asns: asNumbers(numbers, 'as-path') };
      });
  }
  const all = [
    { kind: 'confed-sequence', key: 'confederation-path' },
    { kind: 'confed-set', key: 'confederation-set' },
    { kind: 'sequence', key: 'as-path' },
    { kind: 'set', key: 'as-set' },
  ] as const;
  return all.flatMap(({ kind, key }): AsPathSegment[] => {
    const asns = value[key] === undefined ? [] : asNumbers(value[key], key);
    // A segment has at most 255 numbers on the wire.
    return Array.from({ length: Math.ceil(asns.length / 255) }, (_, i) => ({ kind, asns: asns.slice(i * 255, i * 255 + 255) }));
  });
}

function ip(value: JsonValue | undefined, what: string): Ip {
  const address = parseIp(text(value, what));
  if (address) return address;
  throw new LineError(`${what} is not an address`);
}

function aggregator(value: JsonValue): NonNullable<PathAttributes['aggregator']> {
  const written = /^(\d+):([\d.]+)$/.exec(text(value, 'aggregator'));
  const number = Number(written?.[1]);
  if (!written || number > U32) throw new LineError('aggregator is not an AS number and an address');
  return { asn: asn(number), address: ip(written[2], 'aggregator') };
}

function community(value: JsonValue): number {
  const [high, low] = array(value, 'community');
  return integer(high, U16, 'community') * 0x10000 + integer(low, U16, 'community');
}

function largeCommunity(value: JsonValue): { readonly global: number; readonly local1: number; readonly local2: number } {
  const [global, local1, local2] = array(value, 'large-community').map((v) => integer(v, U32, 'large-community'));
  if (global === undefined || local1 === undefined || local2 === undefined) throw new LineError('large-community has not three parts');
  return { global, local1, local2 };
}

/** From `value` alone: `string` leaves things out, and rounds what it says. */
function extendedCommunity(value: JsonValue): ExtendedCommunity {
  const bits = wide(object(value, 'extended-community')['value'], 64n, 'extended-community');
  return { high: Number(bits >> 32n), low: Number(bits & 0xffffffffn) };
}

/** 20 octets: type and sub-type, an address, a local part (RFC 5701). */
function ipv6Community(value: JsonValue): Ipv6ExtendedCommunity {
  return ipv6Bits(wide(object(value, 'extended-community-ipv6')['value'], 160n, 'extended-community-ipv6'));
}

function ipv6Bits(bits: bigint): Ipv6ExtendedCommunity {
  const word = (shift: bigint): number => Number((bits >> shift) & 0xffffffffn);
  return {
    typeHigh: Number(bits >> 152n),
    typeLow: Number((bits >> 144n) & 0xffn),
    address: ip6(word(112n), word(80n), word(48n), word(16n)),
    local: Number(bits & 0xffffn),
  };
}

function wide(value: JsonValue | undefined, bits: bigint, what: string): bigint {
  const exact = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
  if (!exact && !(typeof value === 'string' && /^\d{1,60}$/.test(value))) throw new LineError(`${what} has no integer as its value`);
  const wanted = BigInt(value as number | string);
  if (wanted >> bits !== 0n) throw new LineError(`${what} has more than ${bits} bits`);
  return wanted;
}

/** Hexadecimal digits of one IPv6 extended community (RFC 5701). */
const IPV6_COMMUNITY_DIGITS = 40;

/** 4.x prints IPv6 extended communities as words, of which only the redirection to an address says everything; what it has no words for as one number. */
function ipv6Communities4(value: JsonValue | undefined): readonly Ipv6ExtendedCommunity[] {
  if (typeof value !== 'string') return [];
  const digits = /^0x([0-9A-Fa-f]{1,4000})$/.exec(value)?.[1];
  if (digits !== undefined) {
    const count = Math.ceil(digits.length / IPV6_COMMUNITY_DIGITS);
    const whole = digits.padStart(count * IPV6_COMMUNITY_DIGITS, '0');
    return Array.from({ length: count }, (_, i) =>
      ipv6Bits(BigInt(`0x${whole.slice(i * IPV6_COMMUNITY_DIGITS, (i + 1) * IPV6_COMMUNITY_DIGITS)}`)),
    );
  }
  const address = parseIp(/^redirect-to-nexthop-ietf (\S+)$/.exec(value)?.[1] ?? '');
  return address?.family === 6 ? [{ typeHigh: 0, typeLow: 0x0c, address, local: 0 }] : [];
}

/** Of 4.x. */
const IPV6_COMMUNITIES = 'attribute-0x19-0xC0';

/** `attribute-0x63-0xE0` with the type and the flags: what ExaBGP knows nothing of. What it prints as words is lost. */
function unknownAttribute(key: string, value: JsonValue | undefined): readonly UnknownAttribute[] {
  const found = /^attribute-0x([0-9A-Fa-f]{1,2})-0x([0-9A-Fa-f]{1,2})$/.exec(key);
  if (!found || key === IPV6_COMMUNITIES || typeof value !== 'string' || !/^0x(?:[0-9A-Fa-f]{2})*$/.test(value)) return [];
  const flags = Number.parseInt(found[2] ?? '', 16) & ~PARTIAL;
  return [{ flags, type: Number.parseInt(found[1] ?? '', 16), value: Uint8Array.from(Buffer.from(value.slice(2), 'hex')) }];
}
