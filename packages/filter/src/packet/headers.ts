import type { Family } from '@weir/wire/inet';
import { u8At, u16At } from './octets.ts';

/** Where the headers of a packet are. Offsets are into the bytes that it was made from. */
export interface Headers {
  /** Undefined: not IP. */
  readonly family: Family | undefined;
  /** Where the IP header begins; of what is not IP, the first octet after the link header. */
  readonly network: number;
  /** One past the last octet that is both in the packet and in the bytes: padding after the packet is not part of it. */
  readonly end: number;
  /** Octets from `network` on that the packet had on the wire; more than `end - network` when a capture cut it short. */
  readonly length: number;
  /** What follows the IP header and its extensions; undefined when the headers cannot be walked. */
  readonly protocol: number | undefined;
  /** Where that begins; it can lie past `end`. Undefined in fragments but the first, and when the headers cannot be walked. */
  readonly transport: number | undefined;
}

const IPV4_HEADER = 20;
const IPV6_HEADER = 40;

export const HOP_BY_HOP = 0;
export const ROUTING = 43;
export const FRAGMENT = 44;
export const AUTHENTICATION = 51;
const NO_NEXT_HEADER = 59;
export const DESTINATION_OPTIONS = 60;
const MOST_OFFSET = 0xffff;

/** The headers that are stepped over to find the transport header of IPv6. Mobility (135), HIP and the like are not: they are the protocol. */
function isExtension(nextHeader: number): boolean {
  return (
    nextHeader === HOP_BY_HOP ||
    nextHeader === ROUTING ||
    nextHeader === FRAGMENT ||
    nextHeader === AUTHENTICATION ||
    nextHeader === DESTINATION_OPTIONS
  );
}

/**
 * Finds the headers the way nf_tables does, so that what is missing here is missing there. `family` is what the link layer says; `wireEnd` is where
 * the bytes ended on the wire. Never throws.
 */
export function findHeaders(bytes: Uint8Array, network: number, family: Family | undefined, wireEnd: number = bytes.length): Headers {
  const available = Math.max(wireEnd, bytes.length) - network;
  if (family === 4) return findIpv4(bytes, network, available);
  if (family === 6) return findIpv6(bytes, network, available);
  return { family, network, end: bytes.length, length: available, protocol: undefined, transport: undefined };
}

/** A header that contradicts itself or the length of the packet leaves no protocol. */
function findIpv4(bytes: Uint8Array, network: number, available: number): Headers {
  const limit = bytes.length;
  const first = u8At(bytes, network, limit);
  const total = u16At(bytes, network + 2, limit);
  const fragment = u16At(bytes, network + 6, limit);
  const protocol = u8At(bytes, network + 9, limit);
  const headerLength = ((first ?? 0) & 15) * 4;
  const broken =
    first === undefined ||
    total === undefined ||
    fragment === undefined ||
    protocol === undefined ||
    first >> 4 !== 4 ||
    available < IPV4_HEADER ||
    headerLength < IPV4_HEADER ||
    total < headerLength ||
    total > available;
  if (broken) return { family: 4, network, end: limit, length: available, protocol: undefined, transport: undefined };
  const transport = (fragment & 0x1fff) === 0 ? network + headerLength : undefined;
  return { family: 4, network, end: Math.min(limit, network + total), length: total, protocol, transport };
}

function findIpv6(bytes: Uint8Array, network: number, available: number): Headers {
  const first = u8At(bytes, network, bytes.length);
  const payload = u16At(bytes, network + 4, bytes.length);
  const next = u8At(bytes, network + 6, bytes.length);
  const broken =
    first === undefined ||
    payload === undefined ||
    next === undefined ||
    first >> 4 !== 6 ||
    available < IPV6_HEADER ||
    payload + IPV6_HEADER > available;
  if (broken) return { family: 6, network, end: bytes.length, length: available, protocol: undefined, transport: undefined };
  // A payload length of 0 before hop-by-hop options is a jumbogram's (RFC 2675): as long as it is.
  const length = payload === 0 && next === HOP_BY_HOP ? available : payload + IPV6_HEADER;
  const end = Math.min(bytes.length, network + length);
  return { family: 6, network, end, length, ...findTransport(bytes, network, end) };
}

interface Step {
  readonly next: number;
  readonly at: number;
}

/** RFC 8200 section 4: { next header 1 · length 1 · ... }; the length is in eights without the first, of AH in fours without two. */
function stepOver(bytes: Uint8Array, at: number, end: number, header: number): Step | undefined {
  const next = u8At(bytes, at, end);
  const length = u8At(bytes, at + 1, end);
  if (next === undefined || length === undefined) return undefined;
  // Of these two, fields after the length are looked at as well.
  if ((header === ROUTING || header === FRAGMENT) && at + 4 > end) return undefined;
  if (header === FRAGMENT) return { next, at: at + 8 };
  return { next, at: at + (header === AUTHENTICATION ? (length + 2) * 4 : (length + 1) * 8) };
}

/**
 * The protocol is the first header that is no extension, or AH (nf_tables takes it for the protocol); of a later fragment, what its fragment header
 * names, unless that is an extension, which nothing can step over.
 */
function findTransport(bytes: Uint8Array, network: number, end: number): Pick<Headers, 'protocol' | 'transport'> {
  const none = { protocol: undefined, transport: undefined };
  let next = bytes[network + 6] ?? NO_NEXT_HEADER;
  let at = network + IPV6_HEADER;
  while (isExtension(next) && next !== AUTHENTICATION) {
    const step = stepOver(bytes, at, end, next);
    if (!step) return none;
    if (next === FRAGMENT && ((u16At(bytes, at + 2, end) ?? 0) & 0xfff8) !== 0)
      return isExtension(step.next) ? none : { protocol: step.next, transport: undefined };
    next = step.next;
    at = step.at;
  }
  // AH must at least say how long it is.
  if (at - network > MOST_OFFSET || (next === AUTHENTICATION && at + 2 > end)) return none;
  return { protocol: next, transport: at };
}

/** Where the first fragment header of an IPv6 packet begins, also behind AH; undefined when there is none that can be reached. */
export function findFragment(bytes: Uint8Array, headers: Headers): number | undefined {
  if (headers.family !== 6) return undefined;
  const { network, end } = headers;
  let next = u8At(bytes, network + 6, end) ?? NO_NEXT_HEADER;
  let at = network + IPV6_HEADER;
  while (isExtension(next)) {
    const step = stepOver(bytes, at, end, next);
    if (!step || next === FRAGMENT) return step && at;
    next = step.next;
    at = step.at;
  }
  return undefined;
}

/**
 * Where the octet is that names the first fragment header of an IPv6 packet: the place where fragments are put together finds it even when the header itself is cut off. Undefined when no header
 * that can be reached names one.
 */
export function findPreviousHeader(bytes: Uint8Array, headers: Headers): number | undefined {
  if (headers.family !== 6) return undefined;
  const { network, end } = headers;
  let naming = network + 6;
  let at = network + IPV6_HEADER;
  for (;;) {
    const next = u8At(bytes, naming, end);
    if (next === FRAGMENT) return at <= end ? naming : undefined;
    const length = u8At(bytes, at + 1, end);
    if (next === undefined || length === undefined || !isExtension(next)) return undefined;
    naming = at;
    at += next === AUTHENTICATION ? (length + 2) * 4 : (length + 1) * 8;
  }
}

const TRANSPORT_HEADERS: ReadonlyMap<number, number> = new Map([
  [6, 20],
  [17, 8],
  [58, 8],
]);

/** Whether the fragment whose header is at `fragment` begins the packet and ends before its transport header does (RFC 8200 section 4.5). */
export function lacksTransport(bytes: Uint8Array, { end }: Headers, fragment: number): boolean {
  let next = FRAGMENT;
  let at = fragment;
  while (isExtension(next)) {
    const following = u8At(bytes, at, end);
    const length = u8At(bytes, at + 1, end);
    if (following === undefined || length === undefined) return false;
    if (next === FRAGMENT) {
      const field = u16At(bytes, at + 2, end);
      if (field === undefined || (field & 0xfff8) !== 0) return false;
      at += 8;
    } else at += next === AUTHENTICATION ? (length + 2) * 4 : (length + 1) * 8;
    next = following;
  }
  return next !== NO_NEXT_HEADER && at + (TRANSPORT_HEADERS.get(next) ?? 1) > end;
}
