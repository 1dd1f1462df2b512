import { type Ip, printIp } from '@weir/wire/inet';
import { TCP_FLAGS } from './description.ts';
import { findFragment } from './headers.ts';
import { icmpTypeName } from './icmp-names.ts';
import { u16At } from './octets.ts';
import type { Packet } from './packet.ts';
import { protocolName } from './protocol-name.ts';

const PORTS: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };
const ICMP: Readonly<Record<number, 4 | 6>> = { 1: 4, 58: 6 };
const ETHERTYPES: Readonly<Record<number, string>> = {
  2054: 'arp',
  34887: 'mpls',
  34915: 'pppoe-discovery',
  34916: 'pppoe',
  35020: 'lldp',
};

/** A packet in one line of printable ASCII: `tcp 198.51.100.7:51000 -> 203.0.113.5:443 SYN`. What a person would not expect (fragments, cut headers, VLANs) is named at the end. */
export function describePacket(packet: Packet): string {
  const { family, protocol } = packet.headers;
  const source = address(packet, 'ip.src');
  const destination = address(packet, 'ip.dst');
  const words: string[] = [];
  if (family === undefined) words.push(linkWords(packet));
  else if (source === undefined || destination === undefined) words.push(family === 4 ? 'ip' : 'ip6', 'header cut short');
  else if (protocol === undefined)
    words.push(family === 4 ? 'ip' : 'ip6', `${printIp(source)} -> ${printIp(destination)}`, 'broken headers');
  else
    words.push(protocolName(protocol) ?? `protocol ${protocol}`, ends(packet, source, destination, protocol), ...details(packet, protocol));
  words.push(...fragmentWords(packet));
  for (const vlan of packet.link.vlans) words.push(`vlan ${vlan}`);
  const { iif, oif } = packet.context;
  if (iif !== undefined) words.push(`in ${escapeText(iif)}`);
  if (oif !== undefined) words.push(`out ${escapeText(oif)}`);
  return words.join(' ');
}

/** Text of others in ASCII without control characters: `\x1b` for ESC, `\\` for a backslash. */
export function escapeText(text: string): string {
  let out = '';
  for (const octet of new TextEncoder().encode(text)) {
    if (octet === 0x5c) out += '\\\\';
    else if (octet < 0x20 || octet > 0x7e) out += `\\x${octet.toString(16).padStart(2, '0')}`;
    else out += String.fromCharCode(octet);
  }
  return out;
}

/** Names of the flags that are set, in the order of a person: `SYN,ACK`; `none` when none is. */
export function describeTcpFlags(flags: number): string {
  const order = ['syn', 'fin', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr'] as const;
  const set = order.filter((name) => (flags & TCP_FLAGS[name]) !== 0).map((name) => name.toUpperCase());
  return set.length === 0 ? 'none' : set.join(',');
}

function address(packet: Packet, name: string): Ip | undefined {
  const value = packet.field(name);
  return typeof value === 'object' && 'family' in value ? value : undefined;
}

function number(packet: Packet, name: string): number | undefined {
  const value = packet.field(name);
  return typeof value === 'number' ? value : undefined;
}

function linkWords({ link, headers }: Packet): string {
  if (link.type === undefined) return `not ip, ${headers.length} octets`;
  if (link.type < 0x600) return `802.3, ${headers.length} octets`;
  return `${ETHERTYPES[link.type] ?? `ethertype 0x${link.type.toString(16).padStart(4, '0')}`}, ${headers.length} octets`;
}

function ends(packet: Packet, source: Ip, destination: Ip, protocol: number): string {
  const name = PORTS[protocol];
  const from = name === undefined ? undefined : number(packet, `${name}.srcport`);
  const to = name === undefined ? undefined : number(packet, `${name}.dstport`);
  return `${end(source, from)} -> ${end(destination, to)}`;
}

function end(ip: Ip, port: number | undefined): string {
  if (port === undefined) return printIp(ip);
  return ip.family === 4 ? `${printIp(ip)}:${port}` : `[${printIp(ip)}]:${port}`;
}

function details(packet: Packet, protocol: number): readonly string[] {
  const { transport, end: last, family } = packet.headers;
  if (transport === undefined) return [];
  const cut = ['header cut short'];
  switch (protocol) {
    case 6: {
      const flags = number(packet, 'tcp.flags');
      return flags === undefined ? cut : [describeTcpFlags(flags)];
    }
    case 17: {
      const payload = packet.field('udp.payload');
      return payload instanceof Uint8Array ? [`length ${payload.length}`] : cut;
    }
    case 132:
      return number(packet, 'sctp.dstport') === undefined ? cut : [];
    case 1:
    case 58: {
      if (ICMP[protocol] !== family || family === undefined) return [];
      const type = number(packet, family === 4 ? 'icmp.type' : 'icmpv6.type');
      const code = number(packet, family === 4 ? 'icmp.code' : 'icmpv6.code');
      if (type === undefined || code === undefined) return cut;
      const name = icmpTypeName(family, type) ?? `type ${type}`;
      return [code === 0 ? name : `${name} code ${code}`];
    }
    default:
      return [`length ${Math.max(0, last - transport)}`];
  }
}

function fragmentWords(packet: Packet): readonly string[] {
  if (packet.field('ip.frag') !== true) return [];
  const { headers, bytes } = packet;
  const at = findFragment(bytes, headers);
  const field =
    headers.family === 4
      ? u16At(bytes, headers.network + 6, headers.end)
      : at === undefined
        ? undefined
        : u16At(bytes, at + 2, headers.end);
  if (field === undefined) return [];
  const offset = headers.family === 4 ? (field & 0x1fff) * 8 : field & 0xfff8;
  const more = (field & (headers.family === 4 ? 0x2000 : 1)) !== 0;
  return [`fragment at ${offset}${more ? ' of more' : ''}`];
}
