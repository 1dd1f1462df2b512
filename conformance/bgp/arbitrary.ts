import {
  type AsPathSegment,
  type Capability,
  nlriRun,
  type OpenMessage,
  type PathAttributes,
  type SessionContext,
  sessionContext,
  type UnicastFamily,
  type UpdateMessage,
} from '@weir/bgp/codec';
import { asn, type Ip, ip4, ip6, makePrefix } from '@weir/wire/inet';
import fc from 'fast-check';

/** Values that a well-behaved speaker may send: what is made here must come back from the decoder unchanged. */
const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const host4 = fc.integer({ min: 1, max: 0xdfffffff }).map(ip4);
const any6: fc.Arbitrary<Ip> = fc.tuple(u32, u32, u32, u32).map(([a, b, c, d]) => ip6(a, b, c, d));
const octets = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });

function segments(wide: boolean, confederation: boolean): fc.Arbitrary<readonly AsPathSegment[]> {
  const as = fc.integer({ min: 1, max: wide ? 0xffffffff : 0xffff }).map(asn);
  const kinds: AsPathSegment['kind'][] = ['set', 'sequence', ...(confederation ? (['confed-sequence', 'confed-set'] as const) : [])];
  return fc.array(fc.record({ kind: fc.constantFrom(...kinds), asns: fc.array(as, { minLength: 1, maxLength: 6 }) }), { maxLength: 4 });
}

const aggregator = fc.record({ asn: fc.integer({ min: 1, max: 0xffffffff }).map(asn), address: u32.map(ip4) });
const extended = fc.record({ high: u32, low: u32 });

/** A record of some of its fields, absent ones absent. */
function some<T>(fields: { readonly [K in keyof T]: fc.Arbitrary<NonNullable<T[K]>> }): fc.Arbitrary<Partial<T>> {
  return fc.record(fields as never, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>;
}

/** Attributes as they may come over a session of this kind; ORIGIN, AS_PATH and NEXT_HOP are always there. */
function attributesFor(context: SessionContext): fc.Arbitrary<PathAttributes> {
  const internal = context.peerKind === 'ibgp';
  const optional = some<PathAttributes>({
    med: u32,
    atomicAggregate: fc.constant(true),
    aggregator: context.fourOctetAs
      ? aggregator
      : aggregator.map((a) => ({ ...a, asn: asn((a.asn % 0xffff) + 1) })).filter((a) => a.asn !== 23456),
    communities: fc.array(u32, { minLength: 1, maxLength: 80 }),
    extendedCommunities: fc.array(extended, { minLength: 1, maxLength: 40 }),
    ipv6ExtendedCommunities: fc.array(fc.record({ typeHigh: u8, typeLow: u8, address: any6, local: u16 }), { minLength: 1, maxLength: 4 }),
    largeCommunities: fc.uniqueArray(fc.record({ global: u32, local1: fc.nat(3), local2: u32 }), {
      minLength: 1,
      maxLength: 30,
      selector: (c) => `${c.global}:${c.local1}:${c.local2}`,
    }),
    onlyToCustomer: u32.map(asn),
    unknown: fc.uniqueArray(
      fc
        .record({ flags: fc.constantFrom(0xc0, 0xe0, 0x80, 0xd0), type: fc.integer({ min: 100, max: 255 }), value: octets(300) })
        .map((u) => ({
          ...u,
          flags: u.value.length > 255 ? u.flags | 0x10 : u.flags,
        })),
      { minLength: 1, maxLength: 3, selector: (u) => u.type },
    ),
  });
  const inside = internal
    ? some<PathAttributes>({
        localPref: u32,
        originatorId: u32.map(ip4),
        clusterList: fc.array(u32.map(ip4), { minLength: 1, maxLength: 5 }),
        aigp: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      })
    : fc.constant({});
  const base = fc.record({
    origin: fc.constantFrom('igp' as const, 'egp' as const, 'incomplete' as const),
    asPath: segments(context.fourOctetAs, internal),
    nextHop: host4,
  });
  return fc.tuple(base, optional, inside).map(([a, b, c]) => ({ ...a, ...b, ...c }));
}

const prefix4 = fc.tuple(u32, fc.nat(32)).map(([w, length]) => makePrefix(ip4(w), length));
const prefix6 = fc.tuple(any6, fc.nat(128)).map(([ip, length]) => makePrefix(ip, length));

function run(name: UnicastFamily, context: SessionContext, minLength = 1): fc.Arbitrary<ReturnType<typeof nlriRun>> {
  const addPath = context.addPath.includes(name);
  return fc.array(fc.tuple(name === 'ipv4 unicast' ? prefix4 : prefix6, u32), { minLength, maxLength: 40 }).map((rows) =>
    nlriRun(
      name,
      rows.map(([p]) => p),
      addPath ? rows.map(([, id]) => id) : undefined,
    ),
  );
}

const families: readonly UnicastFamily[] = ['ipv4 unicast', 'ipv6 unicast'];

const contexts: fc.Arbitrary<SessionContext> = fc
  .record({
    peerKind: fc.constantFrom('ebgp' as const, 'ibgp' as const),
    fourOctetAs: fc.boolean(),
    addPath: fc.subarray([...families]),
    extendedNextHop: fc.boolean(),
    extendedMessage: fc.boolean(),
  })
  .map(sessionContext);

/** UPDATEs with routes in any of the four places, at least one of them announced. */
export const updates: fc.Arbitrary<{ readonly message: UpdateMessage; readonly context: SessionContext }> = contexts.chain((context) => {
  const nextHop6 = fc.record({ address: any6 });
  const both = fc.record({ address: any6, linkLocal: any6 });
  return fc
    .record({
      attributes: attributesFor(context),
      classic: fc.option(run('ipv4 unicast', context), { nil: undefined }),
      reach: run('ipv6 unicast', context),
      reachHop: fc.oneof(nextHop6, both),
      withdraw4: fc.option(run('ipv4 unicast', context), { nil: undefined }),
      withdraw6: fc.option(run('ipv6 unicast', context), { nil: undefined }),
    })
    .map(({ attributes, classic, reach, reachHop, withdraw4, withdraw6 }) => ({
      context,
      message: {
        kind: 'update' as const,
        withdraw: [withdraw4, withdraw6].filter((r) => r !== undefined),
        announce: [
          ...(classic && attributes.nextHop ? [{ nextHop: { address: attributes.nextHop }, run: classic }] : []),
          { nextHop: reachHop, run: reach },
        ],
        withdrawFlows: [],
        announceFlows: [],
        attributes,
        rawAttributes: new Uint8Array(0),
        endOfRib: undefined,
        errors: [],
      },
    }));
});

const afiSafi = fc.record({ afi: u16, safi: u8 });
/** Without halves of surrogate pairs. `fc.string` would first make a map of all code points. */
const text = fc
  .array(fc.oneof(fc.nat(0x7f), fc.nat(0x10ffff)), { maxLength: 40 })
  .map((points) => String.fromCodePoint(...points))
  .filter((s) => new TextDecoder().decode(new TextEncoder().encode(s)) === s);

const capabilities: fc.Arbitrary<Capability> = fc.oneof(
  fc.record({ kind: fc.constant('multiprotocol' as const), family: afiSafi }),
  fc.record({ kind: fc.constantFrom('route-refresh' as const, 'enhanced-route-refresh' as const, 'extended-message' as const) }),
  fc.record({ kind: fc.constant('four-octet-as' as const), asn: fc.integer({ min: 1, max: 0xffffffff }).map(asn) }),
  fc.record({
    kind: fc.constant('graceful-restart' as const),
    restarting: fc.boolean(),
    notification: fc.boolean(),
    restartTime: fc.nat(4095),
    families: fc.array(fc.record({ afi: u16, safi: u8, forwardingPreserved: fc.boolean() }), { maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constant('long-lived-graceful-restart' as const),
    families: fc.array(fc.record({ afi: u16, safi: u8, forwardingPreserved: fc.boolean(), staleTime: fc.nat(0xffffff) }), { maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constant('add-path' as const),
    families: fc.array(fc.record({ afi: u16, safi: u8, send: fc.boolean(), receive: fc.boolean() }), { minLength: 1, maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constant('extended-next-hop' as const),
    entries: fc.array(fc.record({ afi: u16, safi: u16, nextHopAfi: u16 }), { maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant('role' as const), role: fc.constant(3) }),
  fc.record({ kind: fc.constant('fqdn' as const), hostname: text, domain: text }),
  fc.record({ kind: fc.constant('unknown' as const), code: fc.integer({ min: 128, max: 255 }), value: octets(60) }),
);

export const opens: fc.Arbitrary<OpenMessage> = fc.record({
  kind: fc.constant('open' as const),
  version: fc.constant(4),
  myAs: fc.integer({ min: 1, max: 0xffff }),
  holdTime: fc.oneof(fc.constant(0), fc.integer({ min: 3, max: 0xffff })),
  routerId: fc.integer({ min: 1, max: 0xffffffff }).map(ip4),
  capabilities: fc.array(capabilities, { maxLength: 12 }),
});
