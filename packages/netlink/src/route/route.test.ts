import { parseHex, printHex, Reader } from '@weir/wire/bytes';
import { ip4, ip6 } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { type Codec, encoded, expectOnlyDecodeErrors, expectRoundTrip, expectTruncationIsNoticed } from '../codec-kit.ts';
import { decodeRoute, encodeRoute, ONLINK, type Route, RTN } from './route.ts';
import { decodeRoutingRule, encodeRoutingRule, FR_ACT, type RoutingRule } from './rule.ts';

const RULES: Codec<RoutingRule> = { decode: decodeRoutingRule, encode: encodeRoutingRule };
const ROUTES: Codec<Route> = { decode: decodeRoute, encode: encodeRoute };

const GATEWAY6 = ip6(0x20010db8, 0, 0, 9);
const own = { table: 7900, protocol: 87, scope: 0, type: RTN.unicast, flags: ONLINK, interface: 3 } as const;

/** What Linux 6.18 answers to lists, after iproute2 added them. */
const LISTED = {
  'ip rule add fwmark 0x0f200000 lookup 7900 pref 790 protocol 87': {
    hex: '02000000fc0000010000000008000f00dc1e000008000e00ffffffff0500150057000000080006001603000008000a000000200f08001000ffffffff',
    want: { family: 4, priority: 790, mark: 0x0f200000, mask: 0xffffffff, action: FR_ACT.toTable, table: 7900, protocol: 87 },
  },
  'ip -6 rule: from all lookup main': {
    hex: '0a000000fe0000010000000008000f00fe00000008000e00ffffffff050015000200000008000600fe7f0000',
    want: { family: 6, priority: 32766, action: FR_ACT.toTable, table: 254, protocol: 2 },
  },
} as const;

const LISTED_ROUTES = {
  'ip route add default via 192.0.2.9 dev veth0 onlink table 7900 proto 87': {
    hex: '02000000fc5700010400000008000f00dc1e000008000500c00002090800040003000000',
    want: { ...own, family: 4, gateway: ip4(0xc0000209) },
  },
  'ip route add 198.51.100.0/24 via inet6 2001:db8::9 dev veth0 table 7900': {
    hex: '02180000fc0300010000000008000f00dc1e000008000100c6336400160012000a0020010db800000000000000000000000900000800040003000000',
    want: {
      ...own,
      family: 4,
      flags: 0,
      protocol: 3,
      destination: { address: ip4(0xc6336400), length: 24 },
      gateway: GATEWAY6,
    },
  },
  'ip -6 route add default via 2001:db8::9 dev veth0 onlink table 7900 proto 87': {
    hex: '0a000000fc5700010400000008000f00dc1e000008000600000400001400050020010db8000000000000000000000009080004000300000024000c0000000000000000000000000000000000000000000000000000000000000000000500140000000000',
    want: { ...own, family: 6, gateway: GATEWAY6, metric: 1024 },
  },
} as const;

/** What iproute2 6.1 sends, without the netlink header; attributes are in an order of its own there. */
const SENT = [
  {
    name: 'ip rule add fwmark 0x0f200001 lookup 7901 pref 790 protocol 87',
    hex: '02000000000000010000000008000a000100200f08000f00dd1e000008000600160300000500150057000000',
    made: encoded(RULES, { family: 4, mark: 0x0f200001, table: 7901, priority: 790, protocol: 87, action: FR_ACT.toTable }),
  },
  {
    name: 'ip route replace default via 192.0.2.9 dev veth0 onlink table 7901 proto 87',
    hex: '02000000005700010400000008000500c000020908000f00dd1e00000800040003000000',
    made: encoded(ROUTES, { ...own, table: 7901, family: 4, gateway: ip4(0xc0000209) }),
  },
] as const;

describe('routing rules', () => {
  test.each(Object.entries(LISTED))('%s', (_name, { hex, want }) => {
    const { others, ...rest } = decodeRoutingRule(new Reader(parseHex(hex)));
    expect(rest).toEqual(want);
    // FRA_SUPPRESS_PREFIXLEN, which every rule has.
    expect(others?.map(({ type, bytes }) => [type, printHex(bytes)])).toEqual([[14, 'ffffffff']]);
  });

  const rule: fc.Arbitrary<RoutingRule> = fc.record(
    {
      family: fc.constantFrom<4 | 6>(4, 6),
      priority: fc.nat({ max: 0xffffffff }),
      mark: fc.nat({ max: 0xffffffff }),
      mask: fc.nat({ max: 0xffffffff }),
      action: fc.nat({ max: 255 }),
      table: fc.nat({ max: 0xffffffff }),
      protocol: fc.nat({ max: 255 }),
      destinationLength: fc.integer({ min: 1, max: 32 }),
      sourceLength: fc.integer({ min: 1, max: 32 }),
      tos: fc.integer({ min: 1, max: 255 }),
      flags: fc.integer({ min: 1, max: 0xffffffff }),
      others: fc.array(fc.record({ type: fc.integer({ min: 22, max: 100 }), bytes: fc.uint8Array({ maxLength: 20 }) }), {
        minLength: 1,
        maxLength: 3,
      }),
    },
    { requiredKeys: ['family', 'action', 'table'] },
  );
  it('come back as they were', () => fc.assert(fc.property(rule, (value) => expectRoundTrip(RULES, value))));
});

describe('routes', () => {
  test.each(Object.entries(LISTED_ROUTES))('%s', (_name, { hex, want }) => {
    const { others, ...rest } = decodeRoute(new Reader(parseHex(hex)));
    expect(rest).toEqual(want);
    // RTA_CACHEINFO and RTA_PREF of IPv6.
    expect((others ?? []).map(({ type }) => type)).toEqual(want.family === 6 ? [12, 20] : []);
  });

  const address = fc.oneof(
    fc.nat({ max: 0xffffffff }).map(ip4),
    fc.tuple(...([0, 1, 2, 3] as const).map(() => fc.nat({ max: 0xffffffff }))).map(([a = 0, b = 0, c = 0, d = 0]) => ip6(a, b, c, d)),
  );
  const route: fc.Arbitrary<Route> = fc.tuple(address, fc.nat({ max: 32 })).chain(([destination, length]) =>
    fc.record(
      {
        family: fc.constant(destination.family),
        destination: fc.constant({ address: destination, length }),
        sourceLength: fc.integer({ min: 1, max: 32 }),
        tos: fc.integer({ min: 1, max: 255 }),
        table: fc.nat({ max: 0xffffffff }),
        protocol: fc.nat({ max: 255 }),
        scope: fc.nat({ max: 255 }),
        type: fc.nat({ max: 255 }),
        flags: fc.nat({ max: 0xffffffff }),
        gateway: address,
        interface: fc.nat({ max: 0xffffffff }),
        metric: fc.nat({ max: 0xffffffff }),
        others: fc.array(fc.record({ type: fc.integer({ min: 30, max: 100 }), bytes: fc.uint8Array({ maxLength: 20 }) }), {
          minLength: 1,
          maxLength: 3,
        }),
      },
      { requiredKeys: ['family', 'table', 'protocol', 'scope', 'type', 'flags'] },
    ),
  );
  it('come back as they were', () => fc.assert(fc.property(route, (value) => expectRoundTrip(ROUTES, value))));
});

describe('as iproute2 sends them', () => {
  test.each(SENT)('$name', ({ hex, made }) => {
    // Iproute2 leaves the table out of the header.
    const [header, attributes] = [made.slice(0, 12), made.slice(12)];
    header[4] = 0;
    expect(printHex(header) + printHex(attributes)).toBe(hex);
  });
});

describe('what is damaged', () => {
  const messages = [
    ...Object.values(LISTED).map(({ hex }) => [decodeRoutingRule, parseHex(hex)] as const),
    ...Object.values(LISTED_ROUTES).map(({ hex }) => [decodeRoute, parseHex(hex)] as const),
  ];
  it.each(messages)('is a DecodeError at most', (decode, bytes) => {
    expectTruncationIsNoticed(decode, bytes);
    expectOnlyDecodeErrors(decode, bytes);
  });
});
