import type { ConnectionState } from '@weir/filter/packet';
import { buildPacket, Packet, TCP_FLAGS, type Transport } from '@weir/filter/packet';
import type { Ip } from '@weir/wire/inet';
import type { PartialPacket } from './partial.ts';

/** The addresses and ports of one direction. */
export interface Flow {
  readonly source: Ip;
  readonly destination: Ip;
  /** IP protocol number. */
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly icmp?: { readonly type: number; readonly code: number; readonly id: number };
}

/** Where a hook sees a packet: the interfaces that it can have come in and go out by. Undefined: that is not known; empty: it has none there. */
export interface Seen {
  readonly state: ConnectionState;
  readonly iif: readonly string[] | undefined;
  readonly oif: readonly string[] | undefined;
}

/** Names that are tried; more are as good as not known. */
const MAX_INTERFACES = 8;
const [TCP, UDP, SCTP] = [6, 17, 132];
const ICMP: Readonly<Record<number, number>> = { 4: 1, 6: 58 };

/** What a connection's entry says of its first packet. Conntrack has put fragments together before any rule sees it. */
const KNOWN: ReadonlySet<string> = new Set([
  'ip.src',
  'ip.dst',
  'ip.proto',
  'ip.proto.num',
  'ip.frag',
  'ip.frag_offset',
  'ip6.frag_offset',
  'ip6.frag_more',
  'ct.new',
  'ct.established',
  'ct.related',
  'ct.invalid',
]);

/** By protocol, the fields of its header that the entry says. Fields of other protocols are missing, which is known as well. */
const HEADERS: ReadonlyMap<string, { readonly protocol: number; readonly known: ReadonlySet<string> }> = new Map([
  ['tcp', { protocol: TCP, known: new Set(['srcport', 'dstport', 'flags']) }],
  ['udp', { protocol: UDP, known: new Set(['srcport', 'dstport']) }],
  ['sctp', { protocol: SCTP, known: new Set(['srcport', 'dstport']) }],
  ['icmp', { protocol: 1, known: new Set(['type', 'code']) }],
  ['icmpv6', { protocol: 58, known: new Set(['type', 'code']) }],
]);

/** The first packet of a connection as a hook has seen it, as far as the connection's entry tells. */
export function firstPacket(flow: Flow, { state, iif, oif }: Seen): PartialPacket {
  const headers = transports(flow);
  const bytes = headers.map((transport) => buildPacket({ source: flow.source, destination: flow.destination, transport }));
  const names = (given: readonly string[] | undefined): readonly (string | undefined)[] =>
    given === undefined || given.length === 0 || given.length > MAX_INTERFACES ? [undefined] : given;
  const variants = names(iif).flatMap((i) => names(oif).flatMap((o) => bytes.map((b) => Packet.fromNetwork(b, { state, iif: i, oif: o }))));
  const readable = variants[0]?.headers.protocol === flow.protocol;
  const isGiven = (given: readonly string[] | undefined): boolean => given !== undefined && given.length <= MAX_INTERFACES;
  return {
    variants,
    knows: (field) => {
      if (field === 'iif.name') return isGiven(iif);
      if (field === 'oif.name') return isGiven(oif);
      if (KNOWN.has(field)) return readable || field.startsWith('ct.');
      return readable && headerIsKnown(field, flow.protocol, headers[0]?.kind !== 'raw');
    },
  };
}

/** `given`: the entry has something of the transport header. */
function headerIsKnown(field: string, protocol: number, given: boolean): boolean {
  const [first = '', second] = field.split('.');
  const header = HEADERS.get(first);
  if (!header || second === undefined) return false;
  return header.protocol !== protocol || (given && header.known.has(second));
}

/** What the packet's transport header can be. A connection of TCP begins with a SYN; one that asks for ECN has two bits more (RFC 3168 section 6.1.1). */
function transports({ source, protocol, sourcePort, destinationPort, icmp }: Flow): readonly Transport[] {
  if (icmp && protocol === ICMP[source.family]) return [{ kind: 'icmp', type: icmp.type, code: icmp.code }];
  if (sourcePort === undefined || destinationPort === undefined) return [{ kind: 'raw', protocol }];
  const ports = { sourcePort, destinationPort };
  const { syn, ece, cwr } = TCP_FLAGS;
  if (protocol === TCP) return [syn, syn + ece + cwr].map((flags) => ({ kind: 'tcp', ...ports, flags }));
  if (protocol === UDP) return [{ kind: 'udp', ...ports }];
  if (protocol === SCTP) return [{ kind: 'sctp', ...ports }];
  return [{ kind: 'raw', protocol }];
}
