import type { Ip } from '@weir/wire/inet';
import { finishChecksum, sumWords } from './checksum.ts';
import { HOP_BY_HOP } from './headers.ts';
import { u16At } from './octets.ts';
import type { Packet } from './packet.ts';

/** Why Linux drops an incoming packet before any hook sees it. */
export type Refusal =
  | 'not ip'
  | 'cut short'
  | 'version'
  | 'header length'
  | 'total length'
  | 'checksum'
  | 'source address'
  | 'destination address'
  | 'hop-by-hop options';

/**
 * What the input paths of IPv4 and IPv6 do with a packet that comes in by an interface other than loopback: undefined when prerouting sees it, and why not otherwise. What
 * depends on the machine (whom the frame is for, sysctls, IOAM, CALIPSO) is taken to be as it is by default.
 */
export function inputRefusal(packet: Packet): Refusal | undefined {
  const { family } = packet.headers;
  if (family === undefined) return 'not ip';
  return family === 4 ? refuse4(packet) : refuse6(packet);
}

function refuse4({ bytes, headers, context }: Packet): Refusal | undefined {
  const { network } = headers;
  const available = (context.wireLength ?? bytes.length) - network;
  if (available < 20) return 'cut short';
  const first = bytes[network] ?? 0;
  const words = first & 15;
  if (first >> 4 !== 4) return 'version';
  if (words < 5) return 'header length';
  if (words * 4 > available) return 'cut short';
  if (finishChecksum(sumWords(bytes.subarray(network, network + words * 4))) !== 0) return 'checksum';
  const total = u16At(bytes, network + 2, bytes.length) ?? 0;
  return total > available || total < words * 4 ? 'total length' : undefined;
}

function refuse6(packet: Packet): Refusal | undefined {
  const { bytes, headers, context } = packet;
  const { network } = headers;
  const available = (context.wireLength ?? bytes.length) - network;
  if (available < 40) return 'cut short';
  if ((bytes[network] ?? 0) >> 4 !== 6) return 'version';
  const source = packet.field('ip.src') as Ip | undefined;
  const destination = packet.field('ip.dst') as Ip | undefined;
  if (!source || isLoopback(source) || isMulticast(source)) return 'source address';
  // Scopes 0 (reserved) and 1 (of the interface) do not come from outside (RFC 4291 section 2.7).
  if (!destination || isLoopback(destination) || (isMulticast(destination) && ((destination.w0 >>> 16) & 15) < 2))
    return 'destination address';
  const payload = u16At(bytes, network + 4, bytes.length) ?? 0;
  const hopByHop = bytes[network + 6] === HOP_BY_HOP;
  if ((payload !== 0 || !hopByHop) && payload + 40 > available) return 'total length';
  return hopByHop && !goodOptions(bytes, network, headers.end, payload) ? 'hop-by-hop options' : undefined;
}

function isLoopback({ w0, w1, w2, w3 }: Ip): boolean {
  return w0 === 0 && w1 === 0 && w2 === 0 && w3 === 1;
}

function isMulticast({ w0 }: Ip): boolean {
  return w0 >>> 24 === 0xff;
}

const PAD1 = 0;
const PADN = 1;
const ROUTER_ALERT = 5;
const CALIPSO = 7;
const IOAM = 49;
const JUMBO = 194;
const MAX_OPTIONS = 8;
const MAX_PADDING = 7;

/** Hop-by-hop options as Linux takes them: at most eight, at most seven octets of padding in a row, zeros in it, none that asks to be dropped when it is not known. */
function goodOptions(bytes: Uint8Array, network: number, end: number, payload: number): boolean {
  const start = network + 40;
  if (start + 8 > end) return false;
  const last = start + ((bytes[start + 1] ?? 0) + 1) * 8;
  if (last > end) return false;
  let padding = 0;
  let count = 0;
  for (let at = start + 2; at < last; ) {
    const type = bytes[at] ?? 0;
    if (type === PAD1) {
      if (++padding > MAX_PADDING) return false;
      at++;
      continue;
    }
    const length = (bytes[at + 1] ?? 0) + 2;
    if (at + 2 > last || at + length > last) return false;
    if (type === PADN) {
      padding += length;
      if (padding > MAX_PADDING || bytes.subarray(at + 2, at + length).some((octet) => octet !== 0)) return false;
    } else {
      padding = 0;
      if (++count > MAX_OPTIONS || !goodOption(bytes, type, at, length - 2, at - network, payload, end - start)) return false;
    }
    at += length;
  }
  return true;
}

function goodOption(
  bytes: Uint8Array,
  type: number,
  at: number,
  length: number,
  offset: number,
  payload: number,
  available: number,
): boolean {
  switch (type) {
    case ROUTER_ALERT:
      return length === 2;
    case IOAM:
      return offset % 4 === 0;
    case CALIPSO:
      return length >= 8 && (bytes[at + 6] ?? 0) * 4 + 8 <= length;
    case JUMBO: {
      if (length !== 4 || offset % 4 !== 2 || payload !== 0) return false;
      const jumbo = (u16At(bytes, at + 2, bytes.length) ?? 0) * 65536 + (u16At(bytes, at + 4, bytes.length) ?? 0);
      return jumbo > 0xffff && jumbo <= available;
    }
    default:
      return type >> 6 === 0;
  }
}
