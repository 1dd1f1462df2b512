import { FUNCTIONS } from './functions.ts';
import type { Field, Hook, Scheme } from './scheme.ts';
import { BOOL, BYTES, INT, IP, type Type } from './type.ts';

const STATEFUL: readonly Hook[] = ['prerouting', 'input', 'forward', 'output', 'xdp', 'tc'];
const INCOMING: readonly Hook[] = ['prerouting', 'input', 'forward', 'xdp', 'tc'];
const OUTGOING: readonly Hook[] = ['forward', 'output', 'tc'];
const PACKETS: readonly Hook[] = ['prerouting', 'input', 'forward', 'output', 'xdp', 'tc'];
const NETFILTER: readonly Hook[] = ['prerouting', 'input', 'forward', 'output', 'tc', 'connect'];
const TCP = 6;
const UDP = 17;
const SCTP = 132;
const ICMP = 1;
const ICMPV6 = 58;

const fields: Field[] = [];

function add(names: string, type: Type, more: Partial<Omit<Field, 'name' | 'type'>> = {}): void {
  for (const name of names.split(' ')) fields.push({ name, type, optional: true, hooks: PACKETS, ...more });
}

function int(names: string, bits: number, more: Partial<Omit<Field, 'name' | 'type' | 'range'>> = {}): void {
  add(names, INT, { range: { min: 0, max: 2 ** bits - 1 }, ...more });
}

// A packet that is not IP has none of these; at the netfilter hooks every packet is IP.
// Where a process only asks for a connection its source is not chosen yet.
add('ip.src', IP, { doc: 'address, either family' });
add('ip.dst', IP, { hooks: undefined, doc: 'address, either family' });
add('ip.proto', BYTES, {
  hooks: undefined,
  doc: 'protocol after the extension headers by name: tcp, udp, icmp, icmpv6, sctp, gre, esp, ah, ...',
});
int('ip.proto.num', 8, { hooks: undefined, doc: 'number of that protocol' });
int('ip.hdr_len', 4, { doc: 'header length in 32-bit words; 10 for IPv6' });
int('ip.len', 17, { doc: 'total length in octets; for IPv6 the payload length and 40' });
int('ip.ttl', 8, { doc: 'TTL or hop limit' });
int('ip.tos', 8, { doc: 'TOS or traffic class' });
int('ip.dscp', 6, { doc: 'upper six bits of ip.tos' });
int('ip.id', 16, { family: 4, doc: 'identification (IPv4)' });
int('ip.frag_offset', 13, { family: 4, doc: 'fragment offset in units of 8 octets (IPv4)' });
add('ip.frag', BOOL, { doc: 'part of a fragmented packet' });
int('ip.opt.type', 8, { family: 4, doc: 'type of the first option (IPv4)' });
int('ip6.flow_label', 20, { family: 6, doc: 'flow label' });
int('ip6.frag_offset', 13, { family: 6, doc: 'offset in the first fragment header in units of 8 octets (IPv6)' });
add('ip6.frag_more', BOOL, { family: 6, doc: 'more fragments follow, by the first fragment header (IPv6)' });
int('ip6.next_header', 8, { family: 6, doc: 'next header of the fixed header' });
int('icmp.type icmp.code', 8, { family: 4, protocol: ICMP });
int('icmpv6.type icmpv6.code', 8, { family: 6, protocol: ICMPV6 });
int('tcp.flags', 8, { protocol: TCP, doc: 'flags octet: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128' });
add('tcp.flags.ack tcp.flags.cwr tcp.flags.ecn tcp.flags.fin tcp.flags.push tcp.flags.reset tcp.flags.syn tcp.flags.urg', BOOL, {
  protocol: TCP,
});
int('tcp.srcport', 16, { protocol: TCP });
int('tcp.dstport', 16, { hooks: undefined, protocol: TCP });
int('tcp.window', 16, { protocol: TCP });
int('udp.srcport', 16, { protocol: UDP });
int('udp.dstport', 16, { hooks: undefined, protocol: UDP });
int('udp.length', 16, { protocol: UDP });
int('sctp.srcport', 16, { protocol: SCTP });
int('sctp.dstport', 16, { hooks: undefined, protocol: SCTP });
add('ip ip6', BYTES, { doc: 'the packet from its IP header on' });
add('tcp', BYTES, { protocol: TCP, doc: 'from the TCP header on' });
add('udp', BYTES, { protocol: UDP, doc: 'from the UDP header on' });
add('icmp', BYTES, { doc: 'from the ICMP or ICMPv6 header on' });
add('tcp.payload', BYTES, { protocol: TCP });
add('udp.payload', BYTES, { protocol: UDP });
add('sip', BOOL, { protocol: UDP, doc: 'a valid SIP start line' });
add('sip.method', BYTES, { protocol: UDP, doc: 'method of a SIP request' });
add('dns.query.valid ntp.valid', BOOL, { protocol: UDP });
add('ct.established ct.related ct.new ct.invalid', BOOL, { optional: false, hooks: STATEFUL, doc: 'state of the tracked connection' });
add('iif.name', BYTES, { hooks: INCOMING, doc: 'interface that the packet came in by' });
add('oif.name', BYTES, { hooks: OUTGOING, doc: 'interface that the packet goes out by' });
int('meta.mark', 32, { optional: false, hooks: NETFILTER });
int('meta.len', 32, { optional: false, doc: 'length of the packet from its IP header on' });
int('process.uid', 32, { hooks: ['connect', 'output'] });
add('cgroup.id', INT, { hooks: ['connect', 'output'], range: { min: 0, max: (1n << 63n) - 1n } });
int('ip.src.asnum', 32, { doc: 'needs a table' });
int('ip.dst.asnum', 32, { hooks: undefined, doc: 'needs a table' });
add('ip.src.country', BYTES, { doc: 'needs a table' });
add('ip.dst.country', BYTES, { hooks: undefined, doc: 'needs a table' });

/** Numbers of the protocols that `ip.proto` names. */
export const IP_PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  ipip: 4,
  tcp: 6,
  egp: 8,
  igp: 9,
  udp: 17,
  dccp: 33,
  ipv6: 41,
  rsvp: 46,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  eigrp: 88,
  ospf: 89,
  etherip: 97,
  pim: 103,
  vrrp: 112,
  l2tp: 115,
  sctp: 132,
  udplite: 136,
};

/** The fields of packets (Cloudflare's Network Firewall, and Weir's own). */
export const PACKET_SCHEME: Scheme = {
  fields: new Map(fields.map((field) => [field.name, field])),
  functions: FUNCTIONS,
  missingNotEqual: true,
};

/** The same where a layer-4 field implies its protocol. */
export const GUARDED_PACKET_SCHEME: Scheme = { ...PACKET_SCHEME, missingNotEqual: false };
