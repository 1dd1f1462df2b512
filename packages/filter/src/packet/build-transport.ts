import { Writer } from '@weir/wire/bytes';
import { type Ip, ipBytes } from '@weir/wire/inet';
import { crc32c, finishChecksum, sumWords } from './checksum.ts';
import type { TcpDescription, Transport, UdpDescription } from './description.ts';

const EMPTY = new Uint8Array(0);
const MAX_OPTIONS = 40;
const ICMP = 1;
const ICMPV6 = 58;

const TRANSPORT_NUMBERS = { tcp: 6, udp: 17, gre: 47, esp: 50, sctp: 132 } as const;

export interface BuiltTransport {
  readonly protocol: number;
  readonly bytes: Uint8Array;
}

/** The transport header with what follows it. */
export function buildTransport(transport: Transport, source: Ip, destination: Ip): BuiltTransport {
  const w = new Writer();
  switch (transport.kind) {
    case 'tcp':
      writeTcp(w, transport);
      return { protocol: 6, bytes: checked(w, 16, transport.checksum, pseudo(source, destination, 6, w.length)) };
    case 'udp':
      writeUdp(w, transport);
      return { protocol: 17, bytes: checked(w, 6, transport.checksum, pseudo(source, destination, 17, w.length), true) };
    case 'icmp': {
      const protocol = source.family === 4 ? ICMP : ICMPV6;
      w.u8(transport.type)
        .u8(transport.code)
        .u16(0)
        .u32(transport.rest ?? 0)
        .bytes(transport.payload ?? EMPTY);
      const start = source.family === 4 ? 0 : pseudo(source, destination, ICMPV6, w.length);
      return { protocol, bytes: checked(w, 2, transport.checksum, start) };
    }
    case 'sctp': {
      w.u16(transport.sourcePort)
        .u16(transport.destinationPort)
        .u32(transport.tag ?? 0)
        .u32(0)
        .bytes(transport.chunks ?? EMPTY);
      const bytes = w.finish();
      // The one checksum that goes in little-endian.
      new DataView(bytes.buffer).setUint32(8, transport.checksum ?? crc32c(bytes), true);
      return { protocol: TRANSPORT_NUMBERS.sctp, bytes };
    }
    case 'gre':
      // RFC 2890: C, reserved, K, S; version 0.
      w.u16(transport.key === undefined ? 0 : 0x2000).u16(transport.protocol);
      if (transport.key !== undefined) w.u32(transport.key);
      return { protocol: TRANSPORT_NUMBERS.gre, bytes: w.bytes(transport.payload ?? EMPTY).finish() };
    case 'esp':
      w.u32(transport.spi)
        .u32(transport.sequence)
        .bytes(transport.payload ?? EMPTY);
      return { protocol: TRANSPORT_NUMBERS.esp, bytes: w.finish() };
    case 'raw':
      return { protocol: transport.protocol, bytes: transport.payload ?? EMPTY };
  }
}

/** RFC 9293 section 3.1. */
function writeTcp(w: Writer, tcp: TcpDescription): void {
  const options = tcp.options ?? EMPTY;
  if (options.length > MAX_OPTIONS) throw new RangeError(`${options.length} octets of TCP options`);
  const words = 5 + Math.ceil(options.length / 4);
  w.u16(tcp.sourcePort)
    .u16(tcp.destinationPort)
    .u32(tcp.sequence ?? 0)
    .u32(tcp.acknowledgement ?? 0)
    .u8(((tcp.dataOffset ?? words) & 15) << 4)
    .u8(tcp.flags ?? 0)
    .u16(tcp.window ?? 0xffff)
    .u16(0)
    .u16(tcp.urgent ?? 0)
    .bytes(options)
    .align(4)
    .bytes(tcp.payload ?? EMPTY);
}

function writeUdp(w: Writer, udp: UdpDescription): void {
  const payload = udp.payload ?? EMPTY;
  w.u16(udp.sourcePort)
    .u16(udp.destinationPort)
    .u16(udp.length ?? 8 + payload.length)
    .u16(0)
    .bytes(payload);
}

/** Sum of the pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1). */
function pseudo(source: Ip, destination: Ip, protocol: number, length: number): number {
  const sum = sumWords(ipBytes(destination), sumWords(ipBytes(source)));
  return sum + protocol + (length >>> 16) + (length & 0xffff);
}

/** Puts the checksum in; `nonZero` where 0 means that there is none (UDP). */
function checked(w: Writer, at: number, given: number | undefined, start: number, nonZero = false): Uint8Array {
  const right = finishChecksum(sumWords(w.view(), start));
  w.setU16(at, given ?? (nonZero && right === 0 ? 0xffff : right));
  return w.finish();
}
