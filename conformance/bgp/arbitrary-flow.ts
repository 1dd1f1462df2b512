import { FAMILY_NAMES, type PathAttributes, type SessionContext, sessionContext, type UpdateMessage } from '@weir/bgp/codec';
import {
  type AnyOf,
  type BitmaskComponent,
  type BitmaskTest,
  encodeFlowActions,
  type FlowAction,
  type FlowComponent,
  type FlowFamily,
  type FlowRule,
  flowRule,
  type NumericComponent,
  type NumericKind,
  type NumericTest,
  type PrefixComponent,
} from '@weir/bgp/flowspec';
import { asn, type Ip, ip4, ip6, prefixFromWords } from '@weir/wire/inet';
import fc from 'fast-check';

/** Flow rules as a speaker may send them, and actions and UPDATEs with them. */
const FLOW_FAMILIES: readonly FlowFamily[] = ['ipv4 flow', 'ipv6 flow', 'ipv4 flow-vpn', 'ipv6 flow-vpn'];

const u16 = fc.nat(0xffff);
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const address4: fc.Arbitrary<Ip> = u32.map(ip4);
const address6: fc.Arbitrary<Ip> = fc.tuple(u32, u32, u32, u32).map(([a, b, c, d]) => ip6(a, b, c, d));

/** Few words, so that prefixes of two rules meet. */
const word = fc.oneof(fc.constantFrom(0, 0x0a000000, 0x0a010000, 0x20010db8, 0xffffffff), u32);

const prefix4 = fc.tuple(word, fc.nat(32)).map(([w, length]) => ({ prefix: prefixFromWords(4, w, 0, 0, 0, length), offset: 0 }));

const prefix6 = fc
  .tuple(fc.tuple(word, word, word, word), fc.nat(128), fc.oneof(fc.constant(0), fc.nat(127)))
  .map(([words, length, at]) => {
    const offset = at < length ? at : 0;
    const keep = (i: number): number => (offset <= 32 * i ? 0xffffffff : offset >= 32 * i + 32 ? 0 : 0xffffffff >>> (offset - 32 * i));
    const [w0, w1, w2, w3] = words;
    return { prefix: prefixFromWords(6, w0 & keep(0), w1 & keep(1), w2 & keep(2), w3 & keep(3), length), offset };
  });

function prefixOf(kind: 'destination' | 'source', address: 4 | 6): fc.Arbitrary<PrefixComponent> {
  return (address === 4 ? prefix4 : prefix6).map((p) => ({ kind, ...p }));
}

function anyOf<T>(test: fc.Arbitrary<T>): fc.Arbitrary<AnyOf<T>> {
  return fc.array(fc.array(test, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 });
}

const operator = fc.constantFrom('==', '!=', '<', '<=', '>', '>=', 'true', 'false');

/** Values at the edges of the four widths, those that only eight octets hold among them. */
const wide = fc.oneof(
  fc.nat(300),
  fc.constantFrom(0, 255, 256, 65535, 65536, 0xffffffff, 2 ** 32, Number.MAX_SAFE_INTEGER, 2n ** 53n, 2n ** 64n - 1n),
);

/** `written` keeps to values that the text form takes. */
function numbers(kind: NumericKind, written: boolean): fc.Arbitrary<NumericComponent> {
  const most: Partial<Record<NumericKind, number>> = { protocol: 255, 'icmp-type': 255, 'icmp-code': 255, dscp: 63, 'flow-label': 0xfffff };
  const value: fc.Arbitrary<number | bigint> = written || kind === 'dscp' ? fc.nat(most[kind] ?? 65535) : wide;
  return anyOf<NumericTest>(fc.record({ operator, value })).map((tests) => ({ kind, anyOf: tests }));
}

function bits(kind: 'tcp-flags' | 'fragment', address: 4 | 6, written: boolean): fc.Arbitrary<BitmaskComponent> {
  const mask = kind === 'tcp-flags' ? fc.nat(written ? 0xfff : 0xffff) : fc.nat(15).map((m) => (address === 4 ? m : m & 14));
  const test: fc.Arbitrary<BitmaskTest> = fc.record({
    match: fc.constantFrom('any' as const, 'all' as const),
    negated: fc.boolean(),
    mask,
  });
  return anyOf(test).map((tests) => ({ kind, anyOf: tests }));
}

export function components(address: 4 | 6, written = false): fc.Arbitrary<readonly FlowComponent[]> {
  const kinds: readonly NumericKind[] = [
    'protocol',
    'port',
    'destination-port',
    'source-port',
    'icmp-type',
    'icmp-code',
    'packet-length',
    'dscp',
    ...(address === 6 ? (['flow-label'] as const) : []),
  ];
  const all: readonly fc.Arbitrary<FlowComponent>[] = [
    prefixOf('destination', address),
    prefixOf('source', address),
    ...kinds.map((kind) => numbers(kind, written)),
    bits('tcp-flags', address, written),
    bits('fragment', address, written),
  ];
  return fc.tuple(...all.map((c) => fc.option(c, { nil: undefined }))).map((some) => some.filter((c) => c !== undefined));
}

const distinguisher = fc.oneof(
  fc.tuple(fc.nat(2), fc.uint8Array({ minLength: 6, maxLength: 6 })).map(([type, rest]) => Uint8Array.of(0, type, ...rest)),
  fc.uint8Array({ minLength: 8, maxLength: 8 }),
);

/** Rules in canonical octets; with `written` only such as the text form can say. */
export function rules(family: FlowFamily, written = false): fc.Arbitrary<FlowRule> {
  const address = family.startsWith('ipv4') ? 4 : 6;
  const rd = family.endsWith('vpn') ? distinguisher : fc.constant(undefined);
  return fc.tuple(components(address, written), rd).map(([parts, d]) => flowRule(family, parts, d));
}

export const anyRule: fc.Arbitrary<FlowRule> = fc.constantFrom(...FLOW_FAMILIES).chain((family) => rules(family));
export const writtenRule: fc.Arbitrary<FlowRule> = fc.constantFrom(...FLOW_FAMILIES).chain((family) => rules(family, true));

const administrator = fc.oneof(
  fc.record({ kind: fc.constant('as2' as const), asn: u16.map(asn) }),
  fc.record({ kind: fc.constant('as4' as const), asn: u32.map(asn) }),
  fc.record({ kind: fc.constant('ipv4' as const), address: address4 }),
  fc.record({ kind: fc.constant('ipv6' as const), address: address6 }),
);

/** Every float of 32 bits that a rate may be. */
const rate = fc.float({ min: 0, noNaN: true }).map((x) => x + 0);

/** Actions that can be announced. */
export const action: fc.Arbitrary<FlowAction> = fc.oneof(
  fc.record({ kind: fc.constantFrom('rate-bytes' as const, 'rate-packets' as const), rate, asn: u16 }),
  fc.record({ kind: fc.constant('traffic-action' as const), sample: fc.boolean(), terminal: fc.boolean() }),
  fc.record({ kind: fc.constant('redirect-rt' as const), administrator, local: u16 }),
  fc.record({
    kind: fc.constant('redirect-ip' as const),
    address: fc.oneof(address4, address6, fc.constant(undefined)),
    copy: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('mark' as const), dscp: fc.nat(63) }),
  fc.record({ kind: fc.constant('unknown' as const), high: fc.nat(0xffff).map((n) => 0x80ff0000 + n), low: u32 }),
);

const contexts: fc.Arbitrary<SessionContext> = fc
  .record({ families: fc.constant(FAMILY_NAMES), addPath: fc.subarray([...FAMILY_NAMES]), extendedMessage: fc.constant(true) })
  .map(sessionContext);

/** UPDATEs that announce rules of one family and withdraw others of another one. */
export const flowUpdates: fc.Arbitrary<{ readonly message: UpdateMessage; readonly context: SessionContext }> = contexts.chain(
  (context) => {
    const runOf = (family: FlowFamily): fc.Arbitrary<UpdateMessage['withdrawFlows'][number]> =>
      fc.array(fc.tuple(rules(family), u32), { minLength: 1, maxLength: 5 }).map((routes) => ({
        family,
        routes: routes.map(([rule, id]) => ({ rule, pathId: context.addPath.includes(family) ? id : undefined })),
      }));
    const nextHop = fc.oneof(
      fc.constant(undefined),
      fc.record({ address: fc.oneof(address4, address6) }),
      fc.record({ address: address6, linkLocal: address6 }),
    );
    return fc
      .record({
        announced: fc.constantFrom(...FLOW_FAMILIES).chain(runOf),
        withdrawn: fc.option(fc.constantFrom(...FLOW_FAMILIES).chain(runOf), { nil: undefined }),
        nextHop,
        actions: fc.array(action, { maxLength: 4 }),
      })
      .map(({ announced, withdrawn, nextHop: hop, actions }) => {
        const attributes: PathAttributes = {
          origin: 'igp',
          asPath: [{ kind: 'sequence', asns: [asn(64513)] }],
          ...encodeFlowActions(actions),
        };
        return {
          context,
          message: {
            kind: 'update' as const,
            withdraw: [],
            announce: [],
            withdrawFlows: withdrawn ? [withdrawn] : [],
            announceFlows: [{ nextHop: hop, run: announced }],
            attributes,
            rawAttributes: new Uint8Array(0),
            endOfRib: undefined,
            errors: [],
          },
        };
      });
  },
);
