import { BgpError, decodeUpdate, HEADER_SIZE, MessageType, type NextHop, type PathAttributes, sessionContext } from '@weir/bgp/codec';
import { type Ip, ip4, ip6 } from '@weir/wire/inet';

/** The longest path attributes of an UPDATE (RFC 8654), what stands before them, and ONLY_TO_CUSTOMER behind. */
const scratch = new Uint8Array(2 + 32 + 65535 + 7);

const FOUR_OCTET_AS = 1;

const OPTIONAL_TRANSITIVE = 0xc0;
const ONLY_TO_CUSTOMER = 35;

/**
 * Attributes as they are interned: what they mean beside their bytes comes first.
 *
 * ```
 * | 1 when AS numbers have 4 octets (1) | octets of next hop: 0, 4, 16 or 32 (1) | next hop | path attributes |
 * ```
 *
 * ONLY_TO_CUSTOMER with the value `otc` is added behind the path attributes (RFC 9234 section 5). The result is overwritten by the next call.
 */
export function attributeKey(raw: Uint8Array, nextHop: NextHop | undefined, fourOctetAs: boolean, otc: number | undefined): Uint8Array {
  scratch[0] = fourOctetAs ? FOUR_OCTET_AS : 0;
  let at = 2;
  if (nextHop) {
    at = writeIp(nextHop.address, at);
    if (nextHop.linkLocal) at = writeIp(nextHop.linkLocal, at);
  }
  scratch[1] = at - 2;
  scratch.set(raw, at);
  at += raw.length;
  if (otc !== undefined) {
    scratch[at++] = OPTIONAL_TRANSITIVE;
    scratch[at++] = ONLY_TO_CUSTOMER;
    scratch[at++] = 4;
    at = writeWord(otc, at);
  }
  return scratch.subarray(0, at);
}

function writeWord(word: number, at: number): number {
  scratch[at] = word >>> 24;
  scratch[at + 1] = word >>> 16;
  scratch[at + 2] = word >>> 8;
  scratch[at + 3] = word;
  return at + 4;
}

function writeIp(ip: Ip, at: number): number {
  const words = ip.family === 4 ? [ip.w0] : [ip.w0, ip.w1, ip.w2, ip.w3];
  for (const word of words) at = writeWord(word, at);
  return at;
}

/** The path attributes in a key, as on the wire. */
export function rawAttributesOf(key: Uint8Array): Uint8Array {
  return key.subarray(2 + (key[1] ?? 0));
}

export function nextHopOf(key: Uint8Array): NextHop | undefined {
  const size = key[1] ?? 0;
  if (size === 0) return undefined;
  const view = new DataView(key.buffer, key.byteOffset + 2, size);
  if (size === 4) return { address: ip4(view.getUint32(0)) };
  const at = (offset: number): Ip =>
    ip6(view.getUint32(offset), view.getUint32(offset + 4), view.getUint32(offset + 8), view.getUint32(offset + 12));
  return size === 32 ? { address: at(0), linkLocal: at(16) } : { address: at(0) };
}

/**
 * The attributes in a key, decoded: they are put into an UPDATE without routes, since that is what the codec reads. What it would not read again
 * is absent.
 */
export function decodeKey(key: Uint8Array): PathAttributes {
  const raw = rawAttributesOf(key);
  const message = new Uint8Array(HEADER_SIZE + 4 + raw.length);
  message.fill(0xff, 0, 16);
  message[16] = message.length >>> 8;
  message[17] = message.length;
  message[18] = MessageType.update;
  message[HEADER_SIZE + 2] = raw.length >>> 8;
  message[HEADER_SIZE + 3] = raw.length;
  message.set(raw, HEADER_SIZE + 4);
  const context = sessionContext({ peerKind: 'ibgp', fourOctetAs: ((key[0] ?? 0) & FOUR_OCTET_AS) !== 0, extendedMessage: true });
  try {
    return decodeUpdate(message, context).attributes;
  } catch (error) {
    if (!(error instanceof BgpError)) throw error;
    return {};
  }
}
