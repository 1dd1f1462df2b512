import { type Ip, ip4, ip6 } from '@weir/wire/inet';
import { isDnsQuery } from './dns.ts';
import { findFragment, type Headers } from './headers.ts';
import { isNtp } from './ntp.ts';
import { u8At, u16At, u32At } from './octets.ts';
import type { FieldValue, Packet } from './packet.ts';
import { protocolOctets } from './protocol-name.ts';
import { readSip } from './sip.ts';

type Getter = (packet: Packet) => FieldValue | undefined;

const ICMP = 1;
const TCP = 6;
const UDP = 17;
const ICMPV6 = 58;
const SCTP = 132;
const UDP_HEADER = 8;
const TCP_HEADER = 20;

const encoder = new TextEncoder();

function text(value: string | undefined): Uint8Array | undefined {
  return value === undefined ? undefined : encoder.encode(value);
}

/** Octet `v4` or `v6` of the IP header, by family. */
function octet(packet: Packet, v4: number | undefined, v6: number | undefined): number | undefined {
  const { family, network, end } = packet.headers;
  const at = family === 4 ? v4 : v6;
  return family === undefined || at === undefined ? undefined : u8At(packet.bytes, network + at, end);
}

function word(packet: Packet, family: 4 | 6, at: number): number | undefined {
  const { headers } = packet;
  return headers.family === family ? u16At(packet.bytes, headers.network + at, headers.end) : undefined;
}

function address(packet: Packet, v4: number, v6: number): Ip | undefined {
  const { family, network, end } = packet.headers;
  const { bytes } = packet;
  if (family === undefined) return undefined;
  const w0 = u32At(bytes, network + (family === 4 ? v4 : v6), end);
  if (family === 4) return w0 === undefined ? undefined : ip4(w0);
  const w3 = u32At(bytes, network + v6 + 12, end);
  if (w0 === undefined || w3 === undefined) return undefined;
  return ip6(w0, u32At(bytes, network + v6 + 4, end) ?? 0, u32At(bytes, network + v6 + 8, end) ?? 0, w3);
}

function trafficClass(packet: Packet): number | undefined {
  const { family, network, end } = packet.headers;
  if (family === 4) return u8At(packet.bytes, network + 1, end);
  const first = family === 6 ? u16At(packet.bytes, network, end) : undefined;
  return first === undefined ? undefined : (first >> 4) & 255;
}

function headerWords(packet: Packet): number | undefined {
  const first = octet(packet, 0, 0);
  if (first === undefined) return undefined;
  return packet.headers.family === 6 ? 10 : first & 15;
}

function totalLength(packet: Packet): number | undefined {
  const { family } = packet.headers;
  if (family !== 6) return word(packet, 4, 2);
  const payload = word(packet, 6, 4);
  return payload === undefined ? undefined : payload + 40;
}

function fragmented(packet: Packet): boolean | undefined {
  const { headers } = packet;
  if (headers.family === undefined) return undefined;
  if (headers.family === 4) {
    const field = word(packet, 4, 6);
    return field === undefined ? undefined : (field & 0x3fff) !== 0;
  }
  // An atomic fragment (RFC 6946) is whole.
  return ((fragmentWord(packet) ?? 0) & 0xfff9) !== 0;
}

/** { offset 13 bits · reserved 2 · more 1 } of the first fragment header (RFC 8200 section 4.5). */
function fragmentWord({ headers, bytes }: Packet): number | undefined {
  const at = findFragment(bytes, headers);
  return at === undefined ? undefined : u16At(bytes, at + 2, headers.end);
}

function firstOption(packet: Packet): number | undefined {
  const words = headerWords(packet);
  return words !== undefined && words > 5 ? octet(packet, 20, undefined) : undefined;
}

/** Where the header of a protocol begins; undefined for packets of another one. */
function transport(headers: Headers, protocol: number, family: 4 | 6 | undefined = undefined): number | undefined {
  return headers.protocol === protocol && (family === undefined || headers.family === family) ? headers.transport : undefined;
}

function transportOctet(protocol: number, offset: number, family?: 4 | 6): Getter {
  return ({ headers, bytes }) => {
    const at = transport(headers, protocol, family);
    return at === undefined ? undefined : u8At(bytes, at + offset, headers.end);
  };
}

function transportWord(protocol: number, offset: number): Getter {
  return ({ headers, bytes }) => {
    const at = transport(headers, protocol);
    return at === undefined ? undefined : u16At(bytes, at + offset, headers.end);
  };
}

function flag(bit: number): Getter {
  const flags = transportOctet(TCP, 13);
  return (packet) => {
    const value = flags(packet);
    return typeof value === 'number' ? (value & bit) !== 0 : undefined;
  };
}

function from({ bytes, headers }: Packet, at: number | undefined): Uint8Array | undefined {
  return at === undefined || at > headers.end ? undefined : bytes.subarray(at, headers.end);
}

/** What follows the UDP header; the length field of UDP is not asked. */
function udpPayload(packet: Packet): Uint8Array | undefined {
  const at = transport(packet.headers, UDP);
  return at === undefined ? undefined : from(packet, at + UDP_HEADER);
}

/** What follows the TCP header by its data offset, whatever that is, when the fixed header is all there. */
function tcpPayload(packet: Packet): Uint8Array | undefined {
  const { bytes, headers } = packet;
  const at = transport(headers, TCP);
  if (at === undefined || at + TCP_HEADER > headers.end) return undefined;
  return from(packet, at + ((bytes[at + 12] ?? 0) >> 4) * 4);
}

function network(family: 4 | 6): Getter {
  return (packet) => (packet.headers.family === family ? from(packet, packet.headers.network) : undefined);
}

function header(protocol: number): Getter {
  return (packet) => from(packet, transport(packet.headers, protocol));
}

function onUdp(check: (payload: Uint8Array) => boolean): Getter {
  return (packet) => {
    const payload = udpPayload(packet);
    return payload === undefined ? undefined : check(payload);
  };
}

function sipMethod(packet: Packet): Uint8Array | undefined {
  const payload = udpPayload(packet);
  const line = payload && readSip(payload);
  return line?.kind === 'request' ? text(line.method) : undefined;
}

/** How each field of PACKET_SCHEME is read. Fields that need a table (AS numbers, countries) are not here: no packet has them. */
export const FIELDS: ReadonlyMap<string, Getter> = new Map<string, Getter>([
  ['ip.src', (p) => address(p, 12, 8)],
  ['ip.dst', (p) => address(p, 16, 24)],
  ['ip.proto', ({ headers }) => (headers.protocol === undefined ? undefined : protocolOctets(headers.protocol))],
  ['ip.proto.num', ({ headers }) => headers.protocol],
  ['ip.hdr_len', headerWords],
  ['ip.len', totalLength],
  ['ip.ttl', (p) => octet(p, 8, 7)],
  ['ip.tos', trafficClass],
  [
    'ip.dscp',
    (p) => {
      const tos = trafficClass(p);
      return tos === undefined ? undefined : tos >> 2;
    },
  ],
  ['ip.id', (p) => word(p, 4, 4)],
  [
    'ip.frag_offset',
    (p) => {
      const field = word(p, 4, 6);
      return field === undefined ? undefined : field & 0x1fff;
    },
  ],
  ['ip.frag', fragmented],
  ['ip.opt.type', firstOption],
  [
    'ip6.flow_label',
    ({ headers, bytes }) => {
      const first = headers.family === 6 ? u32At(bytes, headers.network, headers.end) : undefined;
      return first === undefined ? undefined : first & 0xfffff;
    },
  ],
  [
    'ip6.frag_offset',
    (p) => {
      const field = fragmentWord(p);
      return field === undefined ? undefined : field >> 3;
    },
  ],
  [
    'ip6.frag_more',
    (p) => {
      const field = fragmentWord(p);
      return field === undefined ? undefined : (field & 1) !== 0;
    },
  ],
  ['ip6.next_header', (p) => octet(p, undefined, 6)],
  ['icmp.type', transportOctet(ICMP, 0, 4)],
  ['icmp.code', transportOctet(ICMP, 1, 4)],
  ['icmpv6.type', transportOctet(ICMPV6, 0, 6)],
  ['icmpv6.code', transportOctet(ICMPV6, 1, 6)],
  ['tcp.flags', transportOctet(TCP, 13)],
  ['tcp.flags.fin', flag(1)],
  ['tcp.flags.syn', flag(2)],
  ['tcp.flags.reset', flag(4)],
  ['tcp.flags.push', flag(8)],
  ['tcp.flags.ack', flag(16)],
  ['tcp.flags.urg', flag(32)],
  ['tcp.flags.ecn', flag(64)],
  ['tcp.flags.cwr', flag(128)],
  ['tcp.srcport', transportWord(TCP, 0)],
  ['tcp.dstport', transportWord(TCP, 2)],
  ['tcp.window', transportWord(TCP, 14)],
  ['udp.srcport', transportWord(UDP, 0)],
  ['udp.dstport', transportWord(UDP, 2)],
  ['udp.length', transportWord(UDP, 4)],
  ['sctp.srcport', transportWord(SCTP, 0)],
  ['sctp.dstport', transportWord(SCTP, 2)],
  ['ip', network(4)],
  ['ip6', network(6)],
  ['tcp', header(TCP)],
  ['udp', header(UDP)],
  ['icmp', (p) => from(p, transport(p.headers, p.headers.family === 4 ? ICMP : ICMPV6))],
  ['tcp.payload', tcpPayload],
  ['udp.payload', udpPayload],
  ['sip', (p) => onUdp((payload) => readSip(payload, { keepalives: p.context.sipKeepalives }) !== undefined)(p)],
  ['sip.method', sipMethod],
  ['dns.query.valid', onUdp(isDnsQuery)],
  ['ntp.valid', onUdp(isNtp)],
  ['ct.established', ({ context }) => context.state === 'established'],
  ['ct.related', ({ context }) => context.state === 'related'],
  ['ct.new', ({ context }) => context.state === 'new'],
  ['ct.invalid', ({ context }) => context.state === 'invalid'],
  ['iif.name', ({ context }) => text(context.iif)],
  ['oif.name', ({ context }) => text(context.oif)],
  ['meta.mark', ({ context }) => context.mark ?? 0],
  ['meta.len', ({ headers }) => headers.length],
  ['process.uid', ({ context }) => context.uid],
  ['cgroup.id', ({ context }) => context.cgroup],
]);
