import { Writer } from '@weir/wire/bytes';
import { ETHERTYPE_8021Q, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '@weir/wire/capture';
import { encodeIp, ipBytes } from '@weir/wire/inet';
import { buildTransport } from './build-transport.ts';
import { finishChecksum, sumWords } from './checksum.ts';
import type { EthernetDescription, Extension, FragmentDescription, PacketDescription } from './description.ts';
import { AUTHENTICATION, DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ROUTING } from './headers.ts';

const EMPTY = new Uint8Array(0);
const MAX_OPTIONS = 40;
const MAX_LENGTH = 0xffff;

/**
 * The bytes of a packet. Numbers are cut to the width of their fields. Throws RangeError for what no header can carry: addresses of two families, options
 * (IPv4's, TCP's) of more than 40 octets, extension headers of more than 2,048 (AH 1,024), more than 65,535 octets in all.
 */
export function buildPacket(description: PacketDescription): Uint8Array {
  const { source, destination, cut, captured, ethernet } = description;
  if (source.family !== destination.family) throw new RangeError('source and destination are of different families');
  const whole = source.family === 4 ? buildIpv4(description) : buildIpv6(description);
  const packet = whole.subarray(0, Math.min(cut ?? whole.length, captured ?? whole.length));
  return ethernet === undefined ? packet.slice() : buildEthernet(ethernet, source.family === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6, packet);
}

const DEFAULT_DESTINATION = new Uint8Array([2, 0, 0, 0, 0, 2]);
const DEFAULT_SOURCE = new Uint8Array([2, 0, 0, 0, 0, 1]);

/** An Ethernet frame around any bytes; not padded to the least length. */
export function buildEthernet(ethernet: EthernetDescription, type: number, payload: Uint8Array): Uint8Array {
  const w = new Writer(18 + payload.length);
  w.bytes(ethernet.destination ?? DEFAULT_DESTINATION).bytes(ethernet.source ?? DEFAULT_SOURCE);
  if (w.length !== 12) throw new RangeError('an Ethernet address has six octets');
  for (const tag of ethernet.tags ?? []) w.u16(tag.type ?? ETHERTYPE_8021Q).u16(((tag.priority ?? 0) << 13) | (tag.id & 0xfff));
  return w.u16(type).bytes(payload).finish();
}

/** RFC 791 section 3.1. */
function buildIpv4(d: PacketDescription): Uint8Array {
  const options = d.options ?? EMPTY;
  if (options.length > MAX_OPTIONS) throw new RangeError(`${options.length} octets of IPv4 options`);
  const { protocol, bytes } = buildTransport(d.transport, d.source, d.destination);
  const words = 5 + Math.ceil(options.length / 4);
  const total = lengthOf(words * 4 + bytes.length, d.cut);
  const w = new Writer(words * 4 + bytes.length);
  w.u8(((d.wrong?.version ?? 4) << 4) | ((d.wrong?.headerLength ?? words) & 15))
    .u8(d.tos ?? 0)
    .u16(d.wrong?.length ?? total)
    .u16(d.id ?? 0)
    .u16((d.dontFragment ? 0x4000 : 0) | (d.fragment?.more ? 0x2000 : 0) | ((d.fragment?.offset ?? 0) & 0x1fff))
    .u8(d.ttl ?? 64)
    .u8(protocol)
    .u16(0);
  encodeIp(w, d.source);
  encodeIp(w, d.destination);
  w.bytes(options).align(4);
  // Over what the header length field says, so that a wrong one alone does not make the checksum wrong.
  const covered = Math.min(w.length, (d.wrong?.headerLength ?? words) * 4);
  w.setU16(10, d.wrong?.checksum ?? finishChecksum(sumWords(w.view().subarray(0, covered))));
  return w.bytes(bytes).finish();
}

/** RFC 8200 section 3. */
function buildIpv6(d: PacketDescription): Uint8Array {
  const { protocol, bytes } = buildTransport(d.transport, d.source, d.destination);
  const chain: readonly Extension[] = [...(d.extensions ?? []), ...(d.fragment ? [{ kind: 'fragment' as const, ...d.fragment }] : [])];
  const w = new Writer();
  const payload = new Writer();
  chain.forEach((extension, i) => {
    const following = chain[i + 1];
    writeExtension(payload, extension, following ? extensionNumber(following) : protocol);
  });
  payload.bytes(bytes);
  const total = lengthOf(40 + payload.length, d.cut);
  const [first] = chain;
  w.u32((d.wrong?.version ?? 6) * 2 ** 28 + (d.tos ?? 0) * 2 ** 20 + ((d.flowLabel ?? 0) & 0xfffff))
    .u16(d.wrong?.length ?? Math.max(0, total - 40))
    .u8(first ? extensionNumber(first) : protocol)
    .u8(d.ttl ?? 64)
    .bytes(ipBytes(d.source))
    .bytes(ipBytes(d.destination));
  return w.bytes(payload.view()).finish();
}

function lengthOf(whole: number, cut: number | undefined): number {
  if (whole > MAX_LENGTH) throw new RangeError(`a packet of ${whole} octets`);
  return Math.min(whole, cut ?? whole);
}

function extensionNumber(extension: Extension): number {
  switch (extension.kind) {
    case 'hop-by-hop':
      return HOP_BY_HOP;
    case 'routing':
      return ROUTING;
    case 'fragment':
      return FRAGMENT;
    case 'ah':
      return AUTHENTICATION;
    case 'destination-options':
      return DESTINATION_OPTIONS;
    case 'unknown':
      return extension.header;
  }
}

function writeExtension(w: Writer, extension: Extension, next: number): void {
  switch (extension.kind) {
    case 'hop-by-hop':
    case 'destination-options':
      writeOptions(w, next, extension.options ?? EMPTY);
      return;
    case 'routing': {
      const data = extension.data ?? new Uint8Array(4);
      w.u8(next)
        .u8(counted(4 + data.length, 8, 2048) - 1)
        .u8(extension.type)
        .u8(extension.segmentsLeft)
        .bytes(data)
        .zeros(missing(4 + data.length));
      return;
    }
    case 'fragment':
      writeFragment(w, next, extension);
      return;
    case 'ah': {
      // RFC 4302 section 2: the length is in fours without the first two.
      const icv = extension.icv ?? new Uint8Array(12);
      w.u8(next)
        .u8(counted(12 + icv.length, 4, 1024) - 2)
        .u16(0)
        .u32(extension.spi)
        .u32(extension.sequence)
        .bytes(icv)
        .zeros((4 - (icv.length % 4)) % 4);
      return;
    }
    case 'unknown':
      w.u8(next).bytes(extension.bytes.subarray(1));
  }
}

function writeFragment(w: Writer, next: number, { offset, more, id }: FragmentDescription): void {
  w.u8(next)
    .u8(0)
    .u16(((offset & 0x1fff) << 3) | (more ? 1 : 0))
    .u32(id ?? 0);
}

/** { next 1 · length 1 · options }, filled up with Pad1 or PadN (RFC 8200 section 4.2). */
function writeOptions(w: Writer, next: number, options: Uint8Array): void {
  const padding = missing(2 + options.length);
  w.u8(next)
    .u8(counted(2 + options.length, 8, 2048) - 1)
    .bytes(options);
  if (padding === 1) w.u8(0);
  else if (padding > 1)
    w.u8(1)
      .u8(padding - 2)
      .zeros(padding - 2);
}

/** Octets up to the next multiple of eight. */
function missing(length: number): number {
  return (8 - (length % 8)) % 8;
}

/** How many units hold so many octets. */
function counted(length: number, unit: number, most: number): number {
  if (length > most) throw new RangeError(`an extension header of ${length} octets`);
  return Math.ceil(length / unit);
}
