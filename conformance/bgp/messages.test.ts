import { readFileSync } from 'node:fs';
import {
  decodeMessage,
  describeMessage,
  encodeMessage,
  FAMILY_NAMES,
  type FamilyName,
  type Message,
  sessionContext,
} from '@weir/bgp/codec';
import { parseHex, printHex, Writer } from '@weir/wire/bytes';
import { ip6 } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { opens, updates } from './arbitrary.ts';
import { messageBytes, updateBytes } from './build.ts';
import { decodesOrResets, encoded, messageSuite, normal, type Vector } from './kit.ts';

const context = sessionContext();
const everyFamily = sessionContext({ families: FAMILY_NAMES });
const plain = fc.constant(context);

/** A message of a type with its length filled in. */
const framed = (type: number, body: string): string => printHex(messageBytes(type, parseHex(body)));

messageSuite('OPEN', {
  values: fc.record({ message: opens, context: plain }),
  vectors: [
    {
      name: 'extended optional parameters, one capability',
      source: 'RFC 9072 section 2, by hand',
      hex: framed(1, '04 fc00 005a c0000201 ff ff 0009 02 0006 4104 0000fc00'),
      context,
      canonical: false,
      want: { myAs: 64512, capabilities: [{ kind: 'four-octet-as', asn: 64512 }] },
    },
  ],
});

messageSuite('KEEPALIVE', {
  values: plain.map((c) => ({ message: { kind: 'keepalive' as const }, context: c })),
  vectors: [
    { name: 'keepalive', source: 'RFC 4271 section 4.4', hex: framed(4, ''), context, canonical: true, want: { kind: 'keepalive' } },
  ],
});

messageSuite('NOTIFICATION', {
  values: fc
    .record({ code: fc.nat(255), subcode: fc.nat(255), data: fc.uint8Array({ maxLength: 100 }) })
    .map((n) => ({ message: { kind: 'notification' as const, ...n }, context })),
  vectors: [
    {
      name: 'shutdown communication',
      source: 'RFC 9003 section 3, by hand',
      hex: framed(3, '06 02 04 676f6e65'),
      context,
      canonical: true,
      want: { code: 6, subcode: 2 },
    },
  ],
});

messageSuite('ROUTE-REFRESH', {
  values: fc
    .record({ family: fc.record({ afi: fc.nat(0xffff), safi: fc.nat(255) }), subtype: fc.nat(255) })
    .map((m) => ({ message: { kind: 'route-refresh' as const, ...m }, context })),
  vectors: [
    {
      name: 'request',
      source: 'RFC 2918 section 3, by hand',
      hex: framed(5, '00010001'),
      context,
      canonical: true,
      want: { family: { afi: 1, safi: 1 }, subtype: 0 },
    },
  ],
});

const addPath = sessionContext({ addPath: ['ipv4 unicast'] });
const updateVectors: readonly Vector[] = [
  {
    name: 'add-path NLRI',
    source: 'RFC 7911 section 3, by hand',
    hex: framed(2, '0000 0014 40010100 4002060201 0000fc01 400304 c0000201 00000007 18 c63364'),
    context: addPath,
    canonical: true,
    want: { announce: [{ run: { count: 1, pathIds: Uint32Array.of(7) } }], errors: [] },
  },
  {
    name: 'IPv4 with an IPv6 next hop',
    source: 'RFC 8950 section 3, by hand',
    hex: printHex(
      updateBytes({
        attributes: '800e19 0001 01 10 20010db8000000000000000000000001 00 18 c63364 40010100 4002060201 0000fc01 800404 00000005',
      }),
    ),
    context: sessionContext({ extendedNextHop: true }),
    canonical: false,
    want: { announce: [{ nextHop: { address: ip6(0x20010db8, 0, 0, 1) }, run: { family: 'ipv4 unicast', count: 1 } }], errors: [] },
  },
  {
    name: 'AS4_PATH from a 2-octet speaker',
    source: 'RFC 6793 section 4.2.3, by hand',
    hex: printHex(
      updateBytes({ attributes: '40010100 4002080203 fc01 5ba0 5ba0 400304 c0000201 c0110a0202 fa56ea00 fa56ea01', nlri: '18 c63364' }),
    ),
    context: sessionContext({ fourOctetAs: false }),
    canonical: true,
    want: {
      attributes: {
        asPath: [{ kind: 'sequence', asns: [64513, 4200000000, 4200000001] }],
        as4Path: [{ kind: 'sequence', asns: [4200000000, 4200000001] }],
      },
    },
  },
];

messageSuite('UPDATE', { values: updates, vectors: updateVectors });

describe('UPDATE, cut inside the path attributes', () => {
  it('is a message or a BgpError wherever it is cut', () => {
    fc.assert(
      fc.property(updates, ({ message, context: c }) => {
        const whole = encoded(message, c);
        const withdrawn = ((whole[19] ?? 0) << 8) | (whole[20] ?? 0);
        const at = 21 + withdrawn;
        const total = ((whole[at] ?? 0) << 8) | (whole[at + 1] ?? 0);
        for (let k = 0; k < total; k++) {
          const w = new Writer();
          w.bytes(whole.subarray(0, at))
            .u16(k)
            .bytes(whole.subarray(at + 2, at + 2 + k))
            .bytes(whole.subarray(at + 2 + total));
          w.setU16(16, w.length);
          const result = decodesOrResets(w.finish(), c);
          if (!(result instanceof Error) && result.kind === 'update' && result.announce.length > 0) {
            expect(result.errors.some((e) => e.action === 'treat-as-withdraw')).toBe(false);
          }
        }
      }),
      { numRuns: 30 },
    );
  });
});

const captured = JSON.parse(readFileSync(new URL('./exabgp-messages.json', import.meta.url), 'utf8')) as readonly {
  readonly name: string;
  readonly hex: string;
}[];

describe('messages that ExaBGP 4.2.21 and 5.0.13 were shown', () => {
  it.each(captured.map((c) => [c.name, c.hex] as const))('%s', (name, hex) => {
    const bytes = parseHex(hex);
    const json = describeMessage(bytes);
    expect(json.outcome).toBe(/bad order|unknown component|rate nan/.test(name) ? 'treat-as-withdraw' : 'accept');
    const message = decodeMessage(bytes, everyFamily);
    if (message.kind === 'update' && message.rawAttributes.length > 0 && json.outcome !== 'accept') return;
    expect(normal(decodeMessage(encoded(message, everyFamily), everyFamily))).toEqual(normal(message));
  });

  it('says what ExaBGP says of the first one', () => {
    expect(describeMessage(parseHex(captured[0]?.hex ?? ''))).toEqual({
      type: 'update',
      length: 125,
      outcome: 'accept',
      notification: null,
      announce: [
        { family: 'ipv4 unicast', prefix: '198.51.100.0/24', nextHop: '192.0.2.1' },
        { family: 'ipv4 unicast', prefix: '203.0.113.7/32', nextHop: '192.0.2.1' },
      ],
      withdraw: [],
      eor: null,
      attributes: {
        origin: 'igp',
        asPath: [65001, 64999],
        nextHop: '192.0.2.1',
        communities: ['65001:666', '65535:666', '65535:65281'],
        largeCommunities: ['65001:1:2', '4200000000:3:4'],
        extendedCommunities: ['rt:65001:100', 'ro:65001:101', 'generic:0x80060000:0x00000000'],
      },
      errors: [],
    });
  });
});

describe('what does not fit one message', () => {
  it('is a RangeError and leaves the writer as it was', () => {
    const message = decodeMessage(parseHex(captured[0]?.hex ?? ''), context) as Message & { kind: 'update' };
    const w = new Writer().u8(7);
    const large = { ...message, attributes: { ...message.attributes, communities: Array.from({ length: 1100 }, (_, i) => i) } };
    expect(() => encodeMessage(w, large, context)).toThrow(RangeError);
    expect(w.length).toBe(1);
  });
});

const daemons = JSON.parse(readFileSync(new URL('./daemon-messages.json', import.meta.url), 'utf8')) as readonly {
  readonly source: string;
  readonly addPath: readonly FamilyName[];
  readonly messages: readonly string[];
}[];

describe('what real speakers send in a session', () => {
  it.each(daemons.map((d) => [d.source, d] as const))('%s', (_source, daemon) => {
    const session = sessionContext({ addPath: daemon.addPath });
    const seen = daemon.messages.map((hex) => describeMessage(parseHex(hex), session));
    expect(seen.map((m) => m.outcome)).toEqual(seen.map(() => 'accept'));
    expect(seen.slice(0, 2).map((m) => m.type)).toEqual(['open', 'keepalive']);
    expect(seen[0]?.open).toMatchObject({ version: 4, as: 64513, routerId: '192.0.2.1' });
    const routes = seen.flatMap((m) => m.announce.map((a) => [a.prefix, a.nextHop, m.attributes['communities']]));
    expect(routes.map(([prefix]) => prefix).sort()).toEqual(['198.51.100.0/24', '2001:db8:1::/48', '203.0.113.7/32']);
    for (const [, , communities] of routes) expect(communities).toContain('64512:80');
    expect(seen.map((m) => m.eor).filter((e) => e !== null)).toEqual(['ipv4 unicast', 'ipv6 unicast']);
    for (const hex of daemon.messages) {
      const message = decodeMessage(parseHex(hex), session);
      expect(normal(decodeMessage(encoded(message, session), session))).toEqual(normal(message));
    }
  });

  it('reads the next hops and identifiers that they choose', () => {
    const of = (source: string, n: number): unknown =>
      describeMessage(
        parseHex(daemons.find((d) => d.source === source)?.messages[n] ?? ''),
        sessionContext({ addPath: daemons.find((d) => d.source === source)?.addPath ?? [] }),
      ).announce;
    expect(of('FRR bgpd 8.4.4', 5)).toEqual([{ family: 'ipv6 unicast', prefix: '2001:db8:1::/48', nextHop: '::ffff:192.0.2.1' }]);
    expect(of('BIRD 2.0.12', 4)).toEqual([
      { family: 'ipv6 unicast', prefix: '2001:db8:1::/48', nextHop: '2001:db8::1', linkLocal: 'fe80::3849:77ff:fed4:6cc3' },
    ]);
    expect(of('BIRD 2.0.12, add-path for IPv4', 2)).toEqual([
      { family: 'ipv4 unicast', prefix: '198.51.100.0/24', pathId: 2, nextHop: '192.0.2.1' },
      { family: 'ipv4 unicast', prefix: '203.0.113.7/32', pathId: 2, nextHop: '192.0.2.1' },
    ]);
  });
});
