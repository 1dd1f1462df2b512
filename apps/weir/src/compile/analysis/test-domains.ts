import { evaluate, NO_LISTS } from '@weir/filter/eval';
import type { Expr, IpSet, Test } from '@weir/filter/ir';
import { buildPacket, type ConnectionState, Packet, type PacketContext, type PacketDescription, type Transport } from '@weir/filter/packet';
import { parseIp } from '@weir/wire/inet';
import type { Action, HookRules, Rule } from '../../model/rule.ts';
import { testRule } from '../test-rule.ts';
import { numberOf } from './point-packet.ts';
import { Remembered } from './remembered.ts';

/** Questions, and packets that stand for everything that the questions can tell apart. */
export interface Domain {
  readonly name: string;
  readonly tests: readonly Test[];
  readonly packets: readonly Remembered[];
}

const field = (name: string): { readonly kind: 'field'; readonly name: string } => ({ kind: 'field', name });

export function ipSet(...ranges: readonly (readonly [string, string])[]): IpSet {
  const of = (family: 4 | 6): IpSet['v4'] =>
    ranges.flatMap(([first, last]) => {
      const [a, b] = [parseIp(first), parseIp(last)];
      return a?.family === family && b ? [{ first: numberOf(a), last: numberOf(b) }] : [];
    });
  return { v4: of(4), v6: of(6) };
}

export function ipTest(name: string, ...ranges: readonly (readonly [string, string])[]): Test {
  return { kind: 'ip', operand: field(name), set: ipSet(...ranges) };
}

export function intTest(name: string, ...ranges: readonly (readonly [number, number])[]): Test {
  return { kind: 'int', operand: field(name), set: ranges.map(([first, last]) => ({ first, last })) };
}

export function flagTest(name: string): Test {
  return { kind: 'flag', operand: field(name) };
}

function bitsTest(name: string, mask: number): Test {
  return { kind: 'bits', operand: field(name), mask };
}

export function bytesTest(name: string, ...values: readonly string[]): Test {
  return { kind: 'bytes', operand: field(name), values: values.map((value) => new TextEncoder().encode(value)) };
}

export function wildcardTest(name: string, pattern: string): Test {
  return { kind: 'wildcard', operand: field(name), pattern: new TextEncoder().encode(pattern), strict: true };
}

export function listTest(name: string, list: string): Test {
  return { kind: 'list', operand: field(name), list };
}

export function all(...items: readonly (Test | Expr)[]): Expr {
  const exprs = items.map(literal);
  const [first] = exprs;
  return exprs.length === 1 && first ? first : { kind: 'and', items: exprs };
}

export function some(...items: readonly (Test | Expr)[]): Expr {
  return { kind: 'or', items: items.map(literal) };
}

export function not(test: Test): Expr {
  return { kind: 'literal', test, negated: true };
}

function literal(item: Test | Expr): Expr {
  return 'operand' in item || item.kind === 'quantified' ? { kind: 'literal', test: item, negated: false } : item;
}

export const EVERYTHING: Expr = { kind: 'constant', value: true };

export function rule(ref: string, expression: Expr, action: Action, more: Partial<Rule> = {}): Rule {
  const line = Number(/\d+/.exec(ref)?.[0] ?? 0) + 1;
  return testRule(ref, expression, action, {
    provenance: { kind: 'file', span: { file: 'policy.yaml', line, column: 3, length: 4 } },
    ...more,
  });
}

export function hookOf(rules: readonly Rule[], last: Action = { kind: 'deny' }): HookRules {
  return {
    hook: 'forward',
    priority: 0,
    rules: [...rules, rule('default', EVERYTHING, last, { stage: 'default', provenance: { kind: 'builtin' } })],
  };
}

function packets(
  addresses: readonly (readonly [string, string])[],
  transports: readonly Transport[],
  more: readonly Partial<PacketDescription>[] = [{}],
  contexts: readonly PacketContext[] = [{}],
): readonly Remembered[] {
  const out: Remembered[] = [];
  for (const [from, to] of addresses) {
    const source = parseIp(from);
    const destination = parseIp(to);
    if (!source || !destination) throw new RangeError('not addresses');
    for (const transport of transports)
      for (const extra of more) {
        const bytes = buildPacket({ source, destination, transport, ...extra });
        for (const context of contexts) out.push(new Remembered(Packet.fromNetwork(bytes, context)));
      }
  }
  return out;
}

function pairs(sources: readonly string[], destinations: readonly string[]): readonly (readonly [string, string])[] {
  return sources.flatMap((a) => destinations.filter((b) => a.includes(':') === b.includes(':')).map((b) => [a, b] as const));
}

const tcp = (sourcePort: number, destinationPort: number, flags = 2): Transport => ({ kind: 'tcp', sourcePort, destinationPort, flags });
const udp = (sourcePort: number, destinationPort: number): Transport => ({ kind: 'udp', sourcePort, destinationPort });

/** Addresses, protocols and ports, with headers that end early. */
const ports: Domain = {
  name: 'addresses, protocols and ports',
  tests: [
    ipTest('ip.src', ['192.0.2.0', '192.0.2.127']),
    ipTest('ip.src', ['192.0.2.128', '192.0.2.255'], ['2001:db8::', '2001:db8::ffff']),
    ipTest('ip.src', ['192.0.2.0', '192.0.2.255'], ['2001:db8::', '2001:db8::ffff']),
    ipTest('ip.dst', ['198.51.100.7', '198.51.100.7']),
    bytesTest('ip.proto', 'tcp'),
    bytesTest('ip.proto', 'sctp', 'udp'),
    intTest('ip.proto.num', [1, 1], [58, 58]),
    intTest('tcp.dstport', [80, 80]),
    intTest('tcp.dstport', [80, 443]),
    intTest('udp.dstport', [80, 443]),
    intTest('sctp.dstport', [80, 443]),
    intTest('tcp.srcport', [0, 1023]),
    intTest('udp.srcport', [0, 1023]),
    intTest('icmp.type', [8, 8]),
    intTest('icmpv6.type', [128, 128]),
  ],
  packets: [
    ...packets(
      pairs(['192.0.2.0', '192.0.2.200', '203.0.113.1', '2001:db8::1', '2001:db8:9::1'], ['198.51.100.7', '198.51.100.8', '2001:db8:1::1']),
      [
        ...[53, 2000].flatMap((s) => [22, 80, 443].flatMap((d) => [tcp(s, d), udp(s, d)])),
        ...[22, 80, 443].map((d): Transport => ({ kind: 'sctp', sourcePort: 2000, destinationPort: d })),
        ...[0, 8, 128].map((type): Transport => ({ kind: 'icmp', type, code: 0 })),
        { kind: 'raw', protocol: 1, payload: new Uint8Array([8, 0, 0, 0]) },
        { kind: 'raw', protocol: 58, payload: new Uint8Array([128, 0, 0, 0]) },
        { kind: 'gre', protocol: 0x800 },
        // Headers that end before a port or a type.
        ...[6, 17, 132].flatMap((protocol) =>
          [0, 2].flatMap((octets): Transport[] => [
            { kind: 'raw', protocol, payload: new Uint8Array(octets) },
            { kind: 'raw', protocol, payload: new Uint8Array(octets).fill(255) },
          ]),
        ),
        { kind: 'raw', protocol: 1 },
        { kind: 'raw', protocol: 58 },
      ],
    ),
    ...packets(
      pairs(['192.0.2.0', '192.0.2.200', '203.0.113.1'], ['198.51.100.7', '198.51.100.8']),
      [tcp(53, 80)],
      [{ wrong: { length: 10 } }],
    ),
    ...packets(
      pairs(['2001:db8::1', '2001:db8:9::1'], ['2001:db8:1::1']),
      [tcp(53, 80)],
      [{ extensions: [{ kind: 'routing', type: 4, segmentsLeft: 0 }], cut: 42 }],
    ),
  ],
};

const cutTcp = (octets: number, port: number): Transport => ({
  kind: 'raw',
  protocol: 6,
  payload: new Uint8Array([0, 1, port >> 8, port, 0, 0, 0, 0]).subarray(0, octets),
});

/** Fragments, options, flags, TOS. */
const headers: Domain = {
  name: 'fragments, options and flags',
  tests: [
    flagTest('ip.frag'),
    intTest('ip.frag_offset', [0, 0]),
    intTest('ip.frag_offset', [1, 8191]),
    intTest('ip6.frag_offset', [0, 0]),
    intTest('ip6.frag_offset', [1, 8191]),
    flagTest('ip6.frag_more'),
    intTest('ip.opt.type', [148, 148]),
    intTest('ip.hdr_len', [5, 5]),
    intTest('ip.hdr_len', [6, 15]),
    flagTest('tcp.flags.syn'),
    bitsTest('tcp.flags', 0x12),
    intTest('tcp.flags', [2, 2]),
    intTest('tcp.dstport', [80, 80]),
    intTest('ip.dscp', [10, 10]),
    bitsTest('ip.tos', 1),
  ],
  packets: packets(
    [
      ['192.0.2.1', '198.51.100.7'],
      ['2001:db8::1', '2001:db8:1::1'],
    ],
    [...[22, 80].flatMap((d) => [0, 2, 16, 18].map((f) => tcp(1, d, f))), udp(1, 80), cutTcp(0, 0), cutTcp(4, 80), cutTcp(4, 22)],
    [0, 1, 40, 41].flatMap((tos) =>
      [undefined, { offset: 0, more: true }, { offset: 9, more: false }, { offset: 9, more: true }, { offset: 0, more: false }].flatMap(
        (fragment) => [
          ...[undefined, new Uint8Array([148, 4, 0, 0]), new Uint8Array([1, 1, 1, 1])].map((options) => ({ tos, fragment, options })),
          { tos, fragment, wrong: { headerLength: 4 } },
        ],
      ),
    ),
  ),
};

/** What is beside the packet. */
const context: Domain = {
  name: 'connection state, interfaces and marks',
  tests: [
    flagTest('ct.established'),
    flagTest('ct.related'),
    flagTest('ct.new'),
    flagTest('ct.invalid'),
    bytesTest('iif.name', 'eth0'),
    bytesTest('iif.name', 'eth0', 'lo'),
    wildcardTest('iif.name', 'eth*'),
    intTest('meta.mark', [7, 7]),
    intTest('meta.mark', [1, 10]),
    bitsTest('meta.mark', 0x80000000),
  ],
  packets: packets(
    [['192.0.2.1', '198.51.100.7']],
    [tcp(1, 80)],
    [{}],
    ['new', 'established', 'related', 'invalid', 'untracked'].flatMap((state) =>
      [undefined, 'eth0', 'eth7', 'lo', 'a'].flatMap((iif) =>
        [0, 3, 7, 11, 0x80000000].map((mark) => ({ state: state as ConnectionState, iif, mark })),
      ),
    ),
  ),
};

/** Of packets that no question tells apart the first. */
function distinct(domain: Domain): Domain {
  const found = new Map<string, Remembered>();
  for (const packet of domain.packets) {
    const key = domain.tests.map((test) => (evaluate(literal(test), packet, NO_LISTS) ? '1' : '0')).join('');
    if (!found.has(key)) found.set(key, packet);
  }
  return { ...domain, packets: [...found.values()] };
}

export const DOMAINS: readonly Domain[] = [ports, headers, context].map(distinct);
