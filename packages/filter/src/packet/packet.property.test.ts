import { ip4, ip6 } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IP_PROTOCOLS, PACKET_SCHEME, SLICE_PROTOCOLS } from '../scheme/index.ts';
import { buildPacket, describePacket, type Extension, type FieldValue, Packet, type PacketDescription, type Transport } from './index.ts';

const names = [...PACKET_SCHEME.fields.keys()];
const NEEDS_A_TABLE = ['ip.src.asnum', 'ip.dst.asnum', 'ip.src.country', 'ip.dst.country'];

const u = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 });
const octets = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });

const transports: fc.Arbitrary<Transport> = fc.oneof(
  fc.record({
    kind: fc.constant('tcp' as const),
    sourcePort: u(16),
    destinationPort: u(16),
    flags: u(8),
    window: u(16),
    sequence: u(32),
    options: octets(40),
    payload: octets(30),
  }),
  fc.record({ kind: fc.constant('udp' as const), sourcePort: u(16), destinationPort: u(16), payload: octets(30) }),
  fc.record({ kind: fc.constant('icmp' as const), type: u(8), code: u(8), rest: u(32), payload: octets(20) }),
  fc.record({ kind: fc.constant('sctp' as const), sourcePort: u(16), destinationPort: u(16), tag: u(32), chunks: octets(20) }),
  fc.record({ kind: fc.constant('gre' as const), protocol: u(16), payload: octets(20) }),
  fc.record({ kind: fc.constant('esp' as const), spi: u(32), sequence: u(32), payload: octets(20) }),
);

const extensions: fc.Arbitrary<readonly Extension[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constantFrom('hop-by-hop' as const, 'destination-options' as const), options: octets(30) }),
    fc.record({ kind: fc.constant('routing' as const), type: u(8), segmentsLeft: u(8), data: octets(30) }),
    fc.record({ kind: fc.constant('fragment' as const), offset: fc.constant(0), more: fc.boolean(), id: u(32) }),
  ),
  { maxLength: 4 },
);

const tags = fc.array(fc.record({ id: u(12), priority: u(3), type: fc.constantFrom(0x8100, 0x88a8) }), { maxLength: 4 });

const descriptions: fc.Arbitrary<PacketDescription> = fc.oneof(
  fc.record({
    ethernet: fc.record({ tags }),
    source: u(32).map(ip4),
    destination: u(32).map(ip4),
    ttl: u(8),
    tos: u(8),
    id: u(16),
    dontFragment: fc.boolean(),
    options: octets(40),
    fragment: fc.option(fc.record({ offset: u(13), more: fc.boolean() }), { nil: undefined }),
    transport: transports,
  }),
  fc.record({
    ethernet: fc.record({ tags }),
    source: fc.tuple(u(32), u(32), u(32), u(32)).map((w) => ip6(...w)),
    destination: fc.tuple(u(32), u(32), u(32), u(32)).map((w) => ip6(...w)),
    ttl: u(8),
    tos: u(8),
    flowLabel: u(20),
    extensions,
    fragment: fc.option(fc.record({ offset: u(13), more: fc.boolean(), id: u(32) }), { nil: undefined }),
    transport: transports,
  }),
);

/** What the fields of a described packet must be. */
function expected(d: PacketDescription): Readonly<Record<string, FieldValue | undefined>> {
  const { transport, source, fragment } = d;
  const v4 = source.family === 4;
  const chain = d.extensions ?? [];
  const offset = fragment?.offset ?? 0;
  const flags = transport.kind === 'tcp' ? transport.flags : undefined;
  const ports =
    'sourcePort' in transport
      ? { [`${transport.kind}.srcport`]: transport.sourcePort, [`${transport.kind}.dstport`]: transport.destinationPort }
      : {};
  const icmp =
    transport.kind === 'icmp'
      ? { [v4 ? 'icmp.type' : 'icmpv6.type']: transport.type, [v4 ? 'icmp.code' : 'icmpv6.code']: transport.code }
      : {};
  const name = transport.kind === 'icmp' && !v4 ? 'icmpv6' : transport.kind;
  const first = chain.find((e) => e.kind === 'fragment');
  const there =
    offset !== 0
      ? {}
      : {
          ...ports,
          ...icmp,
          ...(transport.kind === 'tcp'
            ? {
                'tcp.flags': flags,
                'tcp.flags.syn': ((flags ?? 0) & 2) !== 0,
                'tcp.flags.cwr': ((flags ?? 0) & 128) !== 0,
                'tcp.window': transport.window,
                'tcp.payload': transport.payload,
              }
            : {}),
          ...(transport.kind === 'udp' ? { 'udp.payload': transport.payload, 'udp.length': 8 + (transport.payload?.length ?? 0) } : {}),
        };
  return {
    'ip.src': source,
    'ip.dst': d.destination,
    'ip.ttl': d.ttl,
    'ip.tos': d.tos,
    'ip.dscp': (d.tos ?? 0) >> 2,
    'ip.id': v4 ? d.id : undefined,
    'ip6.flow_label': d.flowLabel,
    'ip.frag_offset': v4 ? offset : undefined,
    'ip6.frag_offset': v4 ? undefined : first ? (first.kind === 'fragment' ? first.offset : undefined) : fragment?.offset,
    'ip6.frag_more': v4 ? undefined : first ? first.kind === 'fragment' && first.more : fragment?.more,
    'ip.frag': v4 || !first ? offset !== 0 || fragment?.more === true : first.kind === 'fragment' && first.more,
    'ip.opt.type': v4 && d.options && d.options.length > 0 ? d.options[0] : undefined,
    'ip.proto.num': IP_PROTOCOLS[name],
    'ip.hdr_len': v4 ? 5 + Math.ceil((d.options?.length ?? 0) / 4) : 10,
    ...there,
  };
}

describe('a packet', () => {
  it('that is built from a description has its fields, and no other transport fields', () => {
    fc.assert(
      fc.property(descriptions, (description) => {
        const framed = Packet.fromEthernet(buildPacket(description));
        const { ethernet, ...network } = description;
        const bare = Packet.fromNetwork(buildPacket(network));
        expect(framed.link.vlans).toEqual(ethernet?.tags?.map((tag) => tag.id));
        const want = expected(description);
        for (const packet of [framed, bare]) {
          for (const [name, value] of Object.entries(want)) expect(packet.field(name), name).toEqual(value);
          for (const name of names)
            if (/^(tcp|udp|sctp|icmp|icmpv6)\.[a-z]+$/.test(name) && !(name in want) && name !== 'tcp.flags') {
              const of = name.split('.')[0];
              const own = of === description.transport.kind || (of === 'icmpv6' && description.source.family === 6);
              if (!own && packet.field(name) !== undefined) expect.fail(`${name} is there`);
            }
          expect(packet.field('meta.len')).toBe(packet.field('ip.len'));
        }
      }),
      { numRuns: 400 },
    );
  });

  it('of any bytes has fields of the right type and does not throw', () => {
    const check = (packet: Packet): void => {
      for (const [name, field] of PACKET_SCHEME.fields) {
        const value = packet.field(name);
        if (value === undefined) {
          if (!field.optional) throw new Error(`${name} is missing`);
          continue;
        }
        if (field.type.kind === 'Bool') expect(value).toBeTypeOf('boolean');
        if (field.type.kind === 'Bytes') expect(value).toBeInstanceOf(Uint8Array);
        if (field.type.kind === 'Int' && (typeof value !== 'number' || value < (field.range?.min ?? 0) || value > (field.range?.max ?? 0)))
          throw new Error(`${name} is ${String(value)}`);
      }
      for (const protocol of SLICE_PROTOCOLS)
        for (const start of [0, 7, 31, 160, 2040]) {
          const value = packet.slice(protocol, start, start + 32);
          if (value !== undefined && !(value >= 0 && value < 2 ** 32)) throw new Error(`${protocol} ${start} is ${value}`);
        }
      expect(describePacket(packet)).toMatch(/^[ -~]+$/);
    };
    const begin = fc.constantFrom(0x45, 0x46, 0x4f, 0x60, 0x61, 0x44, 0x00);
    fc.assert(
      fc.property(begin, octets(120), fc.option(u(10), { nil: undefined }), (first, rest, wireLength) => {
        const bytes = Uint8Array.of(first, ...rest);
        check(Packet.fromNetwork(bytes, { wireLength }));
        check(Packet.fromEthernet(rest, { wireLength }));
        const frame = Uint8Array.of(...new Uint8Array(12), ...(first < 0x60 ? [8, 0] : [0x86, 0xdd]), ...bytes);
        check(Packet.fromEthernet(frame, { wireLength }));
      }),
      { numRuns: 400 },
    );
    fc.assert(
      fc.property(descriptions, fc.array(fc.tuple(u(7), u(8)), { maxLength: 6 }), (description, changes) => {
        const bytes = buildPacket(description);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        check(Packet.fromEthernet(bytes));
      }),
      { numRuns: 400 },
    );
  });

  it('that is cut at any octet has no field that the whole one does not have, but those that say how long it is', () => {
    fc.assert(
      fc.property(descriptions, (description) => {
        const { ethernet: _, ...network } = description;
        const whole = buildPacket(network);
        const fields = Packet.fromNetwork(whole);
        for (let length = 0; length < whole.length; length++) {
          const cut = Packet.fromNetwork(whole.subarray(0, length));
          for (const name of names) {
            if (name.startsWith('meta.') || ['ip', 'ip6'].includes(name)) continue;
            const value = cut.field(name);
            if (value === undefined || name === 'ip.frag' || value === fields.field(name)) continue;
            expect(value, `${name} at ${length}`).toEqual(fields.field(name));
          }
          // Lengths that go past the end leave no protocol.
          expect(cut.field('ip.proto.num')).toBeUndefined();
        }
      }),
      { numRuns: 50 },
    );
  });
});

it('every field of the scheme is read, but those that need a table', () => {
  const seen = new Set<string>();
  const context = { iif: 'a', oif: 'b', mark: 1, state: 'new', uid: 1, cgroup: 1 } as const;
  const base = { source: ip4(1), destination: ip4(2), options: Uint8Array.of(1) };
  const base6 = { source: ip6(1, 0, 0, 0), destination: ip6(2, 0, 0, 0) };
  const port = { sourcePort: 1, destinationPort: 2 };
  const invite = new TextEncoder().encode('INVITE sip:a SIP/2.0\r\n');
  for (const description of [
    { ...base, transport: { kind: 'tcp', ...port } },
    { ...base, transport: { kind: 'udp', ...port, payload: invite } },
    { ...base, transport: { kind: 'sctp', ...port } },
    { ...base, transport: { kind: 'icmp', type: 8, code: 0 } },
    { ...base6, transport: { kind: 'icmp', type: 128, code: 0 } },
    { ...base6, fragment: { offset: 1, more: true }, transport: { kind: 'raw', protocol: 17 } },
  ] satisfies PacketDescription[]) {
    const packet = Packet.fromNetwork(buildPacket(description), context);
    for (const name of names) if (packet.field(name) !== undefined) seen.add(name);
  }
  expect(names.filter((name) => !seen.has(name))).toEqual(NEEDS_A_TABLE);
});
