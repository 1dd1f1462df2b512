import { parseHex, printHex } from '@weir/wire/bytes';
import { ip4, ip6, parseIp, printIp } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import { buildPacket, describePacket, type FieldValue, Packet, type PacketDescription, TCP_FLAGS } from './index.ts';

const a = ip4(0xc0000201);
const b = ip4(0xc6336407);
const A = ip6(0x20010db8, 0, 0, 1);
const B = ip6(0x20010db8, 1, 0, 7);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

interface Row {
  readonly name: string;
  /** Made by Scapy 2.7.0. */
  readonly hex: string;
  readonly description: PacketDescription;
  readonly fields: Readonly<Record<string, FieldValue | undefined | string>>;
  readonly words: string;
}

const rows: readonly Row[] = [
  {
    name: 'TCP over IPv4 with options',
    hex: '45b8003012344000390642a0c0000201c6336407c73801bb01020304000000007002faf0cff10000020405b401030307',
    description: {
      source: a,
      destination: b,
      ttl: 57,
      id: 0x1234,
      tos: 0xb8,
      dontFragment: true,
      transport: {
        kind: 'tcp',
        sourcePort: 51000,
        destinationPort: 443,
        flags: TCP_FLAGS.syn,
        sequence: 0x01020304,
        window: 64240,
        options: parseHex('020405b401030307'),
      },
    },
    fields: {
      'ip.src': '192.0.2.1',
      'ip.dst': '198.51.100.7',
      'ip.proto': 'tcp',
      'ip.proto.num': 6,
      'ip.hdr_len': 5,
      'ip.len': 48,
      'ip.ttl': 57,
      'ip.tos': 0xb8,
      'ip.dscp': 46,
      'ip.id': 0x1234,
      'ip.frag_offset': 0,
      'ip.frag': false,
      'ip.opt.type': undefined,
      'ip6.flow_label': undefined,
      'tcp.srcport': 51000,
      'tcp.dstport': 443,
      'tcp.flags': 2,
      'tcp.flags.syn': true,
      'tcp.flags.ack': false,
      'tcp.window': 64240,
      'tcp.payload': '',
      'udp.dstport': undefined,
      'meta.len': 48,
    },
    words: 'tcp 192.0.2.1:51000 -> 198.51.100.7:443 SYN',
  },
  {
    name: 'UDP over IPv4 with a router alert option',
    hex: '46000025000100004011f986c0000201c633640794040000003514e9000dbaa768656c6c6f',
    description: {
      source: a,
      destination: b,
      id: 1,
      options: parseHex('94040000'),
      transport: { kind: 'udp', sourcePort: 53, destinationPort: 5353, payload: text('hello') },
    },
    fields: {
      'ip.hdr_len': 6,
      'ip.opt.type': 0x94,
      'udp.srcport': 53,
      'udp.dstport': 5353,
      'udp.length': 13,
      'udp.payload': 'hello',
      sip: false,
      'dns.query.valid': false,
      'ntp.valid': false,
      'tcp.flags.syn': undefined,
    },
    words: 'udp 192.0.2.1:53 -> 198.51.100.7:5353 length 5',
  },
  {
    name: 'echo request',
    hex: '450000210001000040018e9fc0000201c63364070800e5f91234000170696e6721',
    description: {
      source: a,
      destination: b,
      id: 1,
      transport: { kind: 'icmp', type: 8, code: 0, rest: 0x12340001, payload: text('ping!') },
    },
    fields: { 'icmp.type': 8, 'icmp.code': 0, 'icmpv6.type': undefined, 'ip.proto': 'icmp' },
    words: 'icmp 192.0.2.1 -> 198.51.100.7 echo-request',
  },
  {
    name: 'TCP over IPv6',
    hex: '62e123450014060320010db800000000000000000000000120010db80000000100000000000000070001ffff00000000000000005029200034400000',
    description: {
      source: A,
      destination: B,
      ttl: 3,
      tos: 0x2e,
      flowLabel: 0x12345,
      transport: { kind: 'tcp', sourcePort: 1, destinationPort: 65535, flags: 0x29, window: 8192 },
    },
    fields: {
      'ip.src': '2001:db8::1',
      'ip.hdr_len': 10,
      'ip.len': 60,
      'ip.ttl': 3,
      'ip.tos': 0x2e,
      'ip.dscp': 11,
      'ip.id': undefined,
      'ip.frag_offset': undefined,
      'ip.frag': false,
      'ip6.flow_label': 0x12345,
      'ip6.next_header': 6,
      'tcp.flags': 0x29,
      'tcp.flags.fin': true,
      'tcp.flags.push': true,
      'tcp.flags.urg': true,
      'tcp.flags.reset': false,
      'tcp.flags.ecn': false,
      'tcp.flags.cwr': false,
    },
    words: 'tcp [2001:db8::1]:1 -> [2001:db8:0:1::7]:65535 FIN,PSH,URG',
  },
  {
    name: 'UDP behind hop-by-hop and destination options',
    hex: '600000000019004020010db800000000000000000000000120010db80000000100000000000000073c000502000001001100010400000000007b007b00092b6b78',
    description: {
      source: A,
      destination: B,
      extensions: [{ kind: 'hop-by-hop', options: parseHex('05020000') }, { kind: 'destination-options' }],
      transport: { kind: 'udp', sourcePort: 123, destinationPort: 123, payload: text('x') },
    },
    fields: { 'ip.proto.num': 17, 'ip6.next_header': 0, 'udp.srcport': 123, 'udp.payload': 'x', 'ip.frag': false },
    words: 'udp [2001:db8::1]:123 -> [2001:db8:0:1::7]:123 length 1',
  },
  {
    name: 'the first fragment over IPv6',
    hex: '6000000000182c4020010db800000000000000000000000120010db800000001000000000000000711000001000000070009000a001012347979797979797979',
    description: {
      source: A,
      destination: B,
      fragment: { offset: 0, more: true, id: 7 },
      transport: { kind: 'udp', sourcePort: 9, destinationPort: 10, payload: text('yyyyyyyy'), checksum: 0x1234 },
    },
    fields: { 'ip.frag': true, 'udp.dstport': 10, 'ip6.next_header': 44, 'ip.frag_offset': undefined },
    words: 'udp [2001:db8::1]:9 -> [2001:db8:0:1::7]:10 length 8 fragment at 0 of more',
  },
  {
    name: 'ICMPv6 echo request',
    hex: '60000000000b3a4020010db800000000000000000000000120010db800000001000000000000000780005fd900010002616263',
    description: { source: A, destination: B, transport: { kind: 'icmp', type: 128, code: 0, rest: 0x10002, payload: text('abc') } },
    fields: { 'icmpv6.type': 128, 'icmpv6.code': 0, 'icmp.type': undefined, 'ip.proto': 'icmpv6' },
    words: 'icmpv6 2001:db8::1 -> 2001:db8:0:1::7 echo-request',
  },
  {
    name: 'SCTP',
    hex: '450000200001000040848e1dc0000201c63364071388138900000009731b48e8',
    description: { source: a, destination: b, id: 1, transport: { kind: 'sctp', sourcePort: 5000, destinationPort: 5001, tag: 9 } },
    fields: { 'sctp.srcport': 5000, 'sctp.dstport': 5001, 'udp.srcport': undefined },
    words: 'sctp 192.0.2.1:5000 -> 198.51.100.7:5001',
  },
  {
    name: 'GRE with a key',
    hex: '4500001e00010000402f8e74c0000201c6336407200008000000002a7a7a',
    description: { source: a, destination: b, id: 1, transport: { kind: 'gre', protocol: 0x0800, key: 42, payload: text('zz') } },
    fields: { 'ip.proto': 'gre' },
    words: 'gre 192.0.2.1 -> 198.51.100.7 length 10',
  },
  {
    name: 'ESP',
    hex: '450000220001000040328e6dc0000201c63364070000010000000005736563726574',
    description: { source: a, destination: b, id: 1, transport: { kind: 'esp', spi: 0x100, sequence: 5, payload: text('secret') } },
    fields: { 'ip.proto': 'esp' },
    words: 'esp 192.0.2.1 -> 198.51.100.7 length 14',
  },
  {
    name: 'AH before TCP: the protocol is AH',
    hex: '60000000002c334020010db800000000000000000000000120010db80000000100000000000000070604000000000001000000020000000000000000000000000001000200000000000000005000200000000000',
    description: {
      source: A,
      destination: B,
      extensions: [{ kind: 'ah', spi: 1, sequence: 2 }],
      transport: { kind: 'tcp', sourcePort: 1, destinationPort: 2, window: 8192, checksum: 0 },
    },
    fields: { 'ip.proto': 'ah', 'tcp.dstport': undefined, tcp: undefined },
    words: 'ah 2001:db8::1 -> 2001:db8:0:1::7 length 44',
  },
];

/** Octets as text, addresses as text, the rest as it is. */
function plain(value: FieldValue | undefined): FieldValue | undefined | string {
  if (value instanceof Uint8Array) return new TextDecoder('latin1').decode(value);
  return typeof value === 'object' ? printIp(value) : value;
}

describe('a packet that Scapy made', () => {
  it.each(rows)('$name', ({ hex, description, fields, words }) => {
    const bytes = parseHex(hex);
    expect(printHex(buildPacket(description))).toBe(hex);
    const packet = Packet.fromNetwork(bytes);
    expect(Object.fromEntries(Object.keys(fields).map((name) => [name, plain(packet.field(name))]))).toEqual(fields);
    expect(describePacket(packet)).toBe(words);
  });

  it('in a frame with two VLAN tags', () => {
    const hex = '02000000000202000000000188a800648100600a08004500001c0001000040118e94c0000201c6336407000100020008139f';
    const tags = [
      { type: 0x88a8, id: 100 },
      { id: 10, priority: 3 },
    ];
    const transport = { kind: 'udp', sourcePort: 1, destinationPort: 2 } as const;
    expect(printHex(buildPacket({ ethernet: { tags }, source: a, destination: b, id: 1, transport }))).toBe(hex);
    const packet = Packet.fromEthernet(parseHex(hex));
    expect(packet.link.vlans).toEqual([100, 10]);
    expect(packet.field('udp.dstport')).toBe(2);
    expect(packet.field('meta.len')).toBe(28);
    expect(describePacket(packet)).toBe('udp 192.0.2.1:1 -> 198.51.100.7:2 length 0 vlan 100 vlan 10');
  });
});

describe('another codepoint', () => {
  it.each([
    { name: 'IPv4', source: a, destination: b },
    { name: 'IPv6', source: A, destination: B },
  ])('leaves the rest of $name as it was', ({ source, destination }) => {
    const of = (tos: number): Uint8Array =>
      buildPacket({ source, destination, tos, transport: { kind: 'udp', sourcePort: 1, destinationPort: 2 } });
    for (const [tos, dscp] of [0, 1, 2, 0x54, 0xff].flatMap((tos) => [0, 1, 10, 46, 63].map((dscp) => [tos, dscp] as const))) {
      const written = Packet.fromNetwork(of(tos)).withDscp(dscp);
      expect({ tos, dscp, hex: printHex(written.bytes) }).toEqual({ tos, dscp, hex: printHex(of((dscp << 2) | (tos & 3))) });
      expect(written.field('ip.dscp')).toBe(dscp);
    }
  });

  it('is not written where the header is not whole', () => {
    const short = Packet.fromNetwork(
      buildPacket({ source: a, destination: b, transport: { kind: 'udp', sourcePort: 1, destinationPort: 2 } }).subarray(0, 19),
    );
    expect(short.withDscp(1)).toBe(short);
  });
});

describe('bit_slice', () => {
  const tcp = Packet.fromNetwork(parseHex(rows[0]!.hex));
  const tcp6 = Packet.fromNetwork(parseHex(rows[3]!.hex));
  const echo = Packet.fromNetwork(parseHex(rows[2]!.hex));
  const ah = Packet.fromNetwork(parseHex(rows[10]!.hex));
  it.each([
    { name: 'a port', packet: tcp, of: 'tcp', bits: [16, 32], want: 443 },
    { name: '32 bits over five octets', packet: tcp, of: 'tcp', bits: [36, 68], want: 0x10203040 },
    { name: 'one bit', packet: tcp, of: 'tcp', bits: [110, 111], want: 1 },
    { name: 'the last octet', packet: tcp, of: 'tcp', bits: [216, 224], want: 7 },
    { name: 'past the end', packet: tcp, of: 'tcp', bits: [217, 225], want: undefined },
    { name: 'of another protocol', packet: tcp, of: 'udp', bits: [0, 8], want: undefined },
    { name: 'the IPv4 header', packet: tcp, of: 'ip', bits: [64, 72], want: 57 },
    { name: 'no IPv6 header', packet: tcp, of: 'ip6', bits: [0, 4], want: undefined },
    { name: 'the flow label', packet: tcp6, of: 'ip6', bits: [12, 32], want: 0x12345 },
    { name: 'ICMP', packet: echo, of: 'icmp', bits: [32, 48], want: 0x1234 },
    { name: 'ICMPv6 is not ICMP', packet: echo, of: 'icmpv6', bits: [0, 8], want: undefined },
    { name: 'nothing behind AH', packet: ah, of: 'tcp', bits: [0, 8], want: undefined },
    { name: 'no bits', packet: tcp, of: 'tcp', bits: [8, 8], want: undefined },
    { name: '33 bits', packet: tcp, of: 'tcp', bits: [0, 33], want: undefined },
    { name: 'a word of Object.prototype', packet: tcp, of: 'constructor', bits: [0, 8], want: undefined },
  ])('$name', ({ packet, of, bits: [start, end], want }) => {
    expect(packet.slice(of, start!, end!)).toBe(want);
  });
});

describe('what nf_tables cannot load is missing', () => {
  const udp = { kind: 'udp', sourcePort: 7, destinationPort: 9, payload: text('12345678') } as const;
  const v4 = { source: a, destination: b };
  const v6 = { source: A, destination: B };
  const data = { kind: 'raw', protocol: 17, payload: new Uint8Array(16) } as const;
  it.each<{ readonly name: string; readonly of: PacketDescription; readonly fields: Readonly<Record<string, FieldValue | undefined>> }>([
    {
      name: 'a later fragment of IPv4',
      of: { ...v4, fragment: { offset: 2, more: false }, transport: data },
      fields: { 'ip.proto.num': 17, 'udp.dstport': undefined, 'udp.payload': undefined, 'ip.frag': true, 'ip.frag_offset': 2 },
    },
    {
      name: 'a later fragment of IPv6',
      of: { ...v6, fragment: { offset: 2, more: false }, transport: data },
      fields: {
        'ip.proto.num': 17,
        'udp.dstport': undefined,
        'ip.frag': true,
        'ip.frag_offset': undefined,
        'ip6.frag_offset': 2,
        'ip6.frag_more': false,
      },
    },
    {
      name: 'the first of two fragment headers says where in the packet it is',
      of: { ...v6, extensions: [{ kind: 'fragment', offset: 0, more: true }], fragment: { offset: 3, more: false }, transport: data },
      fields: { 'ip.frag': true, 'ip6.frag_offset': 0, 'ip6.frag_more': true },
    },
    {
      name: 'a fragment header that ends before its offset',
      of: { ...v6, fragment: { offset: 3, more: true }, transport: data, cut: 43 },
      fields: { 'ip.frag': false, 'ip6.frag_offset': undefined, 'ip6.frag_more': undefined },
    },
    {
      name: 'no fragment header',
      of: { ...v6, transport: udp },
      fields: { 'ip.frag': false, 'ip6.frag_offset': undefined, 'ip6.frag_more': undefined },
    },
    {
      name: 'a later fragment of IPv6 that goes on with an extension',
      of: { ...v6, fragment: { offset: 2, more: false }, transport: { kind: 'raw', protocol: 60, payload: new Uint8Array(16) } },
      fields: { 'ip.proto.num': undefined, 'udp.dstport': undefined, 'ip.frag': true },
    },
    {
      name: 'a later fragment of IPv6 with no next header',
      of: { ...v6, fragment: { offset: 2, more: false }, transport: { kind: 'raw', protocol: 59 } },
      fields: { 'ip.proto.num': 59, 'ip.frag': true },
    },
    {
      name: 'an atomic fragment is whole',
      of: { ...v6, fragment: { offset: 0, more: false }, transport: udp },
      fields: { 'ip.frag': false, 'udp.dstport': 9, 'ip6.frag_offset': 0, 'ip6.frag_more': false },
    },
    {
      name: 'a fragment header behind AH',
      of: {
        ...v6,
        extensions: [
          { kind: 'ah', spi: 1, sequence: 1 },
          { kind: 'fragment', offset: 3, more: true },
        ],
        transport: udp,
      },
      fields: { 'ip.frag': true, 'ip.proto.num': 51, 'ip6.frag_offset': 3, 'ip6.frag_more': true },
    },
    {
      name: 'an extension header that is cut',
      of: { ...v6, extensions: [{ kind: 'destination-options' }], transport: udp, cut: 41 },
      fields: { 'ip.proto.num': undefined, 'udp.dstport': undefined, 'ip6.next_header': 60 },
    },
    {
      name: 'an extension header whose length reaches past the end',
      of: { ...v6, extensions: [{ kind: 'unknown', header: 60, bytes: parseHex('00ff000000000000') }], transport: udp },
      fields: { 'ip.proto.num': 17, 'udp.dstport': undefined, udp: undefined },
    },
    {
      name: 'a routing header of which two octets are left',
      of: { ...v6, extensions: [{ kind: 'routing', type: 4, segmentsLeft: 0 }], transport: udp, cut: 43 },
      fields: { 'ip.proto.num': undefined },
    },
    {
      name: 'mobility is no extension',
      of: { ...v6, extensions: [{ kind: 'unknown', header: 135, bytes: new Uint8Array(8) }], transport: udp },
      fields: { 'ip.proto.num': 135, 'udp.dstport': undefined },
    },
    {
      name: 'no next header',
      of: { ...v6, transport: { kind: 'raw', protocol: 59, payload: new Uint8Array(8) } },
      fields: { 'ip.proto.num': 59, 'ip.proto': undefined },
    },
    {
      name: 'a UDP header that is cut after the ports',
      of: { ...v4, transport: udp, cut: 24 },
      fields: { 'udp.dstport': 9, 'udp.length': undefined, 'udp.payload': undefined },
    },
    {
      name: 'a TCP header that is cut after the flags',
      of: { ...v4, transport: { kind: 'tcp', sourcePort: 1, destinationPort: 2, flags: 16, payload: text('abc') }, cut: 34 },
      fields: { 'tcp.flags.ack': true, 'tcp.window': undefined, 'tcp.payload': undefined },
    },
    {
      name: 'a data offset past the end',
      of: { ...v4, transport: { kind: 'tcp', sourcePort: 1, destinationPort: 2, dataOffset: 6 } },
      fields: { 'tcp.dstport': 2, 'tcp.payload': undefined },
    },
    {
      name: 'a header length below five',
      of: { ...v4, transport: udp, wrong: { headerLength: 4 } },
      fields: { 'ip.proto.num': undefined, 'udp.dstport': undefined, 'ip.hdr_len': 4, 'ip.ttl': 64 },
    },
    {
      name: 'a total length below the header',
      of: { ...v4, transport: udp, wrong: { length: 19 } },
      fields: { 'ip.proto.num': undefined, 'udp.dstport': undefined, 'ip.len': 19 },
    },
    {
      name: 'a total length past the end',
      of: { ...v4, transport: udp, wrong: { length: 100 } },
      fields: { 'ip.proto.num': undefined, 'udp.dstport': undefined },
    },
    {
      name: 'what comes after the total length is not of the packet',
      of: { ...v4, transport: udp, wrong: { length: 30 } },
      fields: { 'udp.dstport': 9, 'udp.payload': text('12'), 'meta.len': 30 },
    },
    {
      name: 'ICMP over IPv6',
      of: { ...v6, transport: { kind: 'raw', protocol: 1, payload: new Uint8Array(8) } },
      fields: { 'ip.proto.num': 1, 'icmp.type': undefined, icmp: undefined },
    },
  ])('$name', ({ of, fields }) => {
    const packet = Packet.fromNetwork(buildPacket(of));
    expect(Object.fromEntries(Object.keys(fields).map((name) => [name, packet.field(name)]))).toEqual(fields);
    const framed = Packet.fromEthernet(buildPacket({ ...of, ethernet: {} }));
    expect(Object.fromEntries(Object.keys(fields).map((name) => [name, framed.field(name)]))).toEqual(fields);
  });

  it('a capture that is cut short is judged by the length on the wire', () => {
    const whole = buildPacket({ ...v4, transport: udp });
    const cut = whole.subarray(0, 26);
    expect(Packet.fromNetwork(cut).field('udp.dstport')).toBeUndefined();
    const packet = Packet.fromNetwork(cut, { wireLength: whole.length });
    expect(['udp.dstport', 'udp.length', 'udp.payload', 'meta.len'].map((name) => packet.field(name))).toEqual([9, 16, undefined, 36]);
  });
});

describe('what is not IP', () => {
  it.each([
    { name: 'nothing', frame: '', words: 'not ip, 0 octets' },
    { name: 'half an address', frame: '020000', words: 'not ip, 0 octets' },
    { name: 'ARP', frame: '0200000000020200000000010806'.concat('00'.repeat(28)), words: 'arp, 28 octets' },
    { name: 'a length for a type', frame: '0200000000020200000000010026'.concat('00'.repeat(38)), words: '802.3, 38 octets' },
    { name: 'a type without a name', frame: '02000000000202000000000188b50102', words: 'ethertype 0x88b5, 2 octets' },
    {
      name: 'tags without end',
      frame: '020000000002020000000001'.concat('81000001'.repeat(5), '0800'),
      words: 'ethertype 0x8100, 4 octets',
    },
  ])('$name', ({ frame, words }) => {
    const packet = Packet.fromEthernet(parseHex(frame));
    for (const name of ['ip.src', 'ip.proto', 'ip.proto.num', 'ip.len', 'ip.ttl', 'ip.frag', 'ip', 'ip6', 'tcp.dstport'])
      expect(packet.field(name), name).toBeUndefined();
    expect(packet.slice('ip', 0, 8)).toBeUndefined();
    expect(describePacket(packet)).toMatch(words);
  });
});

describe('in words', () => {
  const of = (description: Partial<PacketDescription>, context = {}): string => {
    const transport = { kind: 'tcp', sourcePort: 1, destinationPort: 2, flags: 18 } as const;
    return describePacket(Packet.fromNetwork(buildPacket({ source: a, destination: b, transport, ...description }), context));
  };
  it.each([
    { name: 'flags', got: of({}), want: 'tcp 192.0.2.1:1 -> 198.51.100.7:2 SYN,ACK' },
    {
      name: 'no flags',
      got: of({ transport: { kind: 'tcp', sourcePort: 1, destinationPort: 2 } }),
      want: 'tcp 192.0.2.1:1 -> 198.51.100.7:2 none',
    },
    { name: 'cut', got: of({ cut: 22 }), want: 'tcp 192.0.2.1:1 -> 198.51.100.7 header cut short' },
    { name: 'broken', got: of({ wrong: { headerLength: 15 } }), want: 'ip 192.0.2.1 -> 198.51.100.7 broken headers' },
    { name: 'no addresses', got: of({ captured: 12 }), want: 'ip header cut short' },
    {
      name: 'a later fragment',
      got: of({ fragment: { offset: 185, more: true } }),
      want: 'tcp 192.0.2.1 -> 198.51.100.7 fragment at 1480 of more',
    },
    {
      name: 'a protocol without a name',
      got: of({ transport: { kind: 'raw', protocol: 253 } }),
      want: 'protocol 253 192.0.2.1 -> 198.51.100.7 length 0',
    },
    {
      name: 'unreachable',
      got: of({ transport: { kind: 'icmp', type: 3, code: 1 } }),
      want: 'icmp 192.0.2.1 -> 198.51.100.7 destination-unreachable code 1',
    },
    {
      name: 'interfaces of an attacker',
      got: of({}, { iif: 'eth\x1b[2J\\é', oif: 'wg0' }),
      want: 'tcp 192.0.2.1:1 -> 198.51.100.7:2 SYN,ACK in eth\\x1b[2J\\\\\\xc3\\xa9 out wg0',
    },
  ])('$name', ({ got, want }) => expect(got).toBe(want));
});

describe('what bytes do not say', () => {
  it('is the context', () => {
    const bytes = buildPacket({ source: a, destination: b, transport: { kind: 'raw', protocol: 6 } });
    const packet = Packet.fromNetwork(bytes, { iif: 'eth0', mark: 7, state: 'related', uid: 1000, cgroup: 2n ** 60n });
    expect(packet.field('iif.name')).toEqual(text('eth0'));
    expect(['oif.name', 'meta.mark', 'ct.related', 'ct.new', 'process.uid', 'cgroup.id'].map((name) => packet.field(name))).toEqual([
      undefined,
      7,
      true,
      false,
      1000,
      2n ** 60n,
    ]);
    const bare = Packet.fromNetwork(bytes);
    expect(['meta.mark', 'ct.established', 'process.uid', 'nonsense'].map((name) => bare.field(name))).toEqual([
      0,
      false,
      undefined,
      undefined,
    ]);
  });
});

describe('a description that no header can carry', () => {
  it.each<{ readonly name: string; readonly description: PacketDescription; readonly want: string }>([
    {
      name: 'two families',
      description: { source: a, destination: B, transport: { kind: 'raw', protocol: 6 } },
      want: 'different families',
    },
    {
      name: 'too many options',
      description: { source: a, destination: b, options: new Uint8Array(41), transport: { kind: 'raw', protocol: 6 } },
      want: '41 octets of IPv4 options',
    },
    {
      name: 'too long',
      description: { source: a, destination: b, transport: { kind: 'raw', protocol: 6, payload: new Uint8Array(65516) } },
      want: 'a packet of 65536 octets',
    },
    {
      name: 'too long an extension',
      description: {
        source: A,
        destination: B,
        extensions: [{ kind: 'hop-by-hop', options: new Uint8Array(2047) }],
        transport: { kind: 'raw', protocol: 6 },
      },
      want: 'an extension header of 2049 octets',
    },
    {
      name: 'too many TCP options',
      description: {
        source: a,
        destination: b,
        transport: { kind: 'tcp', sourcePort: 1, destinationPort: 1, options: new Uint8Array(41) },
      },
      want: '41 octets of TCP options',
    },
  ])('$name', ({ description, want }) => expect(() => buildPacket(description)).toThrow(new RegExp(want)));
});

it('addresses are read as they are written', () => {
  const source = parseIp('2001:db8:1:2:3:4:5:6')!;
  const bytes = buildPacket({ source, destination: B, transport: { kind: 'raw', protocol: 6 } });
  expect(Packet.fromNetwork(bytes).field('ip.src')).toEqual(source);
});
