import { NO_LISTS } from '@weir/filter/eval';
import { buildPacket, Packet } from '@weir/filter/packet';
import { type Ip, ip } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Action, HookRules, Rule } from '../../model/rule.ts';
import { judge } from '../interpreter/index.ts';
import { readExpression } from '../judgement/read-expression.ts';
import { testRule } from '../test-rule.ts';
import { type Flow, judgeWays, type Routing, type TrackedFlow, waysOf } from './index.ts';

/** Expressions that were read. */
const read = new Map<string, Rule['expression']>();

function rule(text: string, action: Action | Action['kind'], more: Partial<Rule> = {}): Rule {
  const expression =
    text === '' ? ({ kind: 'constant', value: true } as const) : (read.get(text) ?? readExpression(text, new Set(['web'])));
  read.set(text, expression);
  const acts = (typeof action === 'string' ? { kind: action } : action) as Action;
  return testRule(more.name ?? text, expression, acts, { name: text, priority: 0, text, ...more });
}

const hook = (name: HookRules['hook'], ...rules: readonly Rule[]): HookRules => ({ hook: name, priority: 0, rules });

const allow = (text: string): Rule => rule(text, 'allow');
const denyAll = rule('', 'deny', { name: '<default>' });
const allowAll = rule('', 'allow', { name: '<default>' });

/** 192.0.2.1 is this host; 198.51.100.0/24 lies behind eth0, 203.0.113.0/24 behind wg0; where the rest is cannot be told. */
const routing: Routing = {
  isLocal: (address) => address.w0 === ip('192.0.2.1').w0,
  to: (address) => {
    if (address.w0 === ip('192.0.2.1').w0) return { kind: 'local' };
    if (address.w0 >>> 8 === ip('198.51.100.0').w0 >>> 8) return { kind: 'out', interfaces: ['eth0'] };
    if (address.w0 >>> 8 === ip('203.0.113.0').w0 >>> 8) return { kind: 'out', interfaces: ['wg0', 'wg1'] };
    return undefined;
  },
};

function flow(from: string, to: string, more: Partial<Flow> = {}): Flow {
  return { source: ip(from), destination: ip(to), protocol: 6, sourcePort: 50_000, destinationPort: 443, ...more };
}

const web = flow('198.51.100.7', '203.0.113.5');

function fate(hooks: readonly HookRules[], original: Flow, more: Partial<TrackedFlow> = {}): string {
  const connection: TrackedFlow = { original, translated: original, state: 'new', ...more };
  const lists = { has: (list: string, value: unknown) => list === 'web' && (value as Ip).w0 === ip('203.0.113.5').w0 };
  const blind = judgeWays(waysOf(connection, routing, true), hooks, lists);
  const found = judgeWays(waysOf(connection, routing, false), hooks, lists);
  // To know more never turns a certain answer round.
  if (blind.kind !== 'doubtful') expect(found.kind).toBe(blind.kind);
  return found.kind === 'doubtful' ? `doubtful at ${found.hook}: ${found.rule?.text ?? ''}` : found.kind;
}

const icmp = { protocol: 1, icmp: { type: 8, code: 0, id: 7 } } as const;

const rows: readonly { name: string; rules: readonly Rule[]; flow?: Flow; more?: Partial<TrackedFlow>; want: string }[] = [
  { name: 'no rule lets it in', rules: [allow('tcp.dstport == 22'), denyAll], want: 'denied' },
  { name: 'a rule lets it in', rules: [allow('tcp.dstport == 443'), denyAll], want: 'allowed' },
  { name: 'it is judged as new, not as established', rules: [allow('ct.established'), denyAll], want: 'denied' },
  { name: 'what another announced is related', rules: [allow('ct.related'), denyAll], more: { state: 'related' }, want: 'allowed' },
  { name: 'a member of a set', rules: [allow('ip.dst in $web'), denyAll], want: 'allowed' },
  { name: 'no member', rules: [allow('ip.dst in $web'), denyAll], flow: flow('198.51.100.7', '203.0.113.6'), want: 'denied' },
  { name: 'the interface that routing names', rules: [allow('iif.name == "eth0"'), denyAll], want: 'allowed' },
  { name: 'another interface', rules: [allow('iif.name == "eth1"'), denyAll], want: 'denied' },
  {
    name: 'one of two interfaces',
    rules: [allow('oif.name == "wg0"'), denyAll],
    want: 'doubtful at forward: oif.name == "wg0"',
  },
  { name: 'either of two interfaces', rules: [allow('oif.name in {"wg0" "wg1"}'), denyAll], want: 'allowed' },
  {
    name: 'an interface that cannot be told',
    rules: [allow('iif.name == "eth0"'), denyAll],
    flow: flow('10.0.0.1', '203.0.113.5'),
    want: 'doubtful at forward: iif.name == "eth0"',
  },
  { name: 'denied by whatever interface', rules: [denyAll], flow: flow('10.0.0.1', '203.0.113.5'), want: 'denied' },
  { name: 'what conntrack does not keep', rules: [allow('ip.ttl > 60'), denyAll], want: 'doubtful at forward: ip.ttl > 60' },
  { name: 'payload', rules: [rule('tcp.payload contains "x"', 'deny'), allowAll], want: 'doubtful at forward: tcp.payload contains "x"' },
  { name: 'the same where it makes no difference', rules: [allow('ip.ttl > 60 and tcp.dstport == 22'), denyAll], want: 'denied' },
  { name: 'payload of another protocol is missing', rules: [rule('not udp.payload contains "x"', 'deny'), allowAll], want: 'denied' },
  { name: 'a TCP connection begins with SYN', rules: [allow('tcp.flags.syn and not tcp.flags.ack'), denyAll], want: 'allowed' },
  { name: 'ECN or not', rules: [allow('tcp.flags == 2'), denyAll], want: 'doubtful at forward: tcp.flags == 2' },
  {
    name: 'slices',
    rules: [allow('bit_slice(tcp, 0, 16) == 50000'), denyAll],
    want: 'doubtful at forward: bit_slice(tcp, 0, 16) == 50000',
  },
  { name: 'marks', rules: [allow('meta.mark == 1'), denyAll], want: 'doubtful at forward: meta.mark == 1' },
  { name: 'ICMP', rules: [allow('icmp.type == 8'), denyAll], flow: flow('198.51.100.7', '203.0.113.5', icmp), want: 'allowed' },
  { name: 'audit drops nothing', rules: [rule('tcp.dstport == 443', 'deny', { audit: true }), allowAll], want: 'allowed' },
  { name: 'reject is denied', rules: [rule('', { kind: 'reject', with: 'tcp-reset' })], want: 'denied' },
  {
    name: 'a limit is not used up',
    rules: [rule('', { kind: 'rate-limit', limit: { unit: 'packets', rate: 1, burst: 1, per: 'rule' } }), denyAll],
    want: 'allowed',
  },
  {
    name: 'a skip over what denies',
    rules: [rule('tcp.dstport == 443', { kind: 'skip', to: 'later' }), denyAll, rule('', 'allow', { name: 'later' })],
    want: 'allowed',
  },
  {
    name: 'a skip in doubt',
    rules: [rule('ip.ttl > 60', { kind: 'skip', to: 'later' }), denyAll, rule('', 'allow', { name: 'later' })],
    want: 'doubtful at forward: ip.ttl > 60',
  },
  {
    name: 'in doubt between two that deny',
    rules: [rule('ip.ttl > 60', 'deny'), rule('ip.ttl < 70', { kind: 'reject', with: 'tcp-reset' }), denyAll],
    want: 'denied',
  },
  {
    name: 'xor of what is not known',
    rules: [allow('ip.ttl > 60 xor tcp.dstport == 443'), denyAll],
    want: 'doubtful at forward: ip.ttl > 60 xor tcp.dstport == 443',
  },
  {
    name: 'a protocol without ports',
    rules: [allow('ip.proto == "gre"'), denyAll],
    flow: { source: web.source, destination: web.destination, protocol: 47 },
    want: 'allowed',
  },
  {
    name: 'a TCP entry without ports says nothing of them',
    rules: [allow('tcp.dstport == 443'), denyAll],
    flow: { source: web.source, destination: web.destination, protocol: 6 },
    want: 'doubtful at forward: tcp.dstport == 443',
  },
];

describe('a connection through this host', () => {
  test.each(rows)('$name: $want', ({ rules, flow: given, more, want }) => {
    expect(fate([hook('forward', ...rules)], given ?? web, more)).toBe(want);
  });
});

describe('hooks', () => {
  const all = [
    hook('prerouting', rule('tcp.dstport == 1', 'deny'), allowAll),
    hook('input', allow('tcp.dstport == 2'), denyAll),
    hook('forward', allow('tcp.dstport == 3'), denyAll),
    hook('output', allow('tcp.dstport == 4 and oif.name == "eth0"'), denyAll),
  ];
  const host = '192.0.2.1';
  const at = (from: string, to: string, destinationPort: number): Flow => flow(from, to, { destinationPort });
  test.each([
    { name: 'denied before it was routed', flow: at('198.51.100.7', host, 1), want: 'denied' },
    { name: 'to this host', flow: at('198.51.100.7', host, 2), want: 'allowed' },
    { name: 'to this host, by the rules of others', flow: at('198.51.100.7', host, 3), want: 'denied' },
    { name: 'through it', flow: at('198.51.100.7', '203.0.113.5', 3), want: 'allowed' },
    { name: 'from it', flow: at(host, '198.51.100.7', 4), want: 'allowed' },
    { name: 'from it by another interface', flow: at(host, '203.0.113.5', 4), want: 'denied' },
    {
      name: 'from it, nobody knows by what',
      flow: at(host, '10.0.0.1', 4),
      want: 'doubtful at output: tcp.dstport == 4 and oif.name == "eth0"',
    },
    { name: 'within it', flow: at(host, host, 2), want: 'denied' },
    { name: 'to it or through it', flow: at('198.51.100.7', '10.0.0.1', 3), want: 'doubtful at routing: ' },
    { name: 'denied both to it and through it', flow: at('198.51.100.7', '10.0.0.1', 9), want: 'denied' },
  ])('$name: $want', ({ flow: given, want }) => {
    expect(fate(all, given)).toBe(want);
  });

  test('addresses are judged as each hook sees them', () => {
    const original = flow('198.51.100.7', '192.0.2.1', { destinationPort: 8443 });
    const translated = flow('198.51.100.7', '203.0.113.5');
    const judged = (before: number, after: number): string =>
      fate(
        [hook('prerouting', allow(`tcp.dstport == ${before}`), denyAll), hook('forward', allow(`tcp.dstport == ${after}`), denyAll)],
        original,
        { translated },
      );
    expect([judged(8443, 443), judged(443, 443), judged(8443, 8443)]).toEqual(['allowed', 'denied', 'denied']);
  });

  test('nothing is judged where no rules are', () => {
    expect(fate([], web)).toBe('allowed');
  });
});

test('what is certain is so of every packet that the connection can have begun with', () => {
  const texts = [
    'tcp.dstport == 443',
    'tcp.dstport in {80 443}',
    'ip.ttl > 60',
    'not ip.ttl > 60',
    'ip.ttl > 60 and tcp.dstport == 443',
    'ip.ttl > 60 or tcp.dstport == 443',
    'ip.ttl > 60 xor tcp.srcport == 50000',
    'tcp.flags == 2',
    'tcp.flags.ecn',
    'tcp.payload contains "x"',
    'udp.length > 8',
    'iif.name == "eth0"',
    'oif.name == "wg0"',
    'not oif.name == "wg0"',
    'ct.new',
    'meta.mark == 1',
  ];
  const actions: readonly Action[] = [
    { kind: 'allow' },
    { kind: 'deny' },
    { kind: 'log' },
    { kind: 'mark', mark: 1 },
    { kind: 'skip', to: 'rule 3' },
    { kind: 'skip', to: undefined },
  ];
  const rules = fc
    .array(fc.tuple(fc.constantFrom(...texts), fc.constantFrom(...actions), fc.boolean()), { minLength: 1, maxLength: 6 })
    .map((list) => list.map(([text, action, audit], i) => rule(text, action, { name: `rule ${i}`, ref: `rule ${i}`, audit })));
  const last = fc
    .constantFrom<Action>({ kind: 'allow' }, { kind: 'deny' })
    .map((action) => rule('', action, { name: '<default>', stage: 'default' }));
  const packet = fc.record({
    ttl: fc.constantFrom(1, 64),
    flags: fc.constantFrom(2, 0xc2),
    payload: fc.constantFrom('', 'x'),
    oif: fc.constantFrom('wg0', 'wg1'),
    mark: fc.constantFrom(0, 1),
  });
  const seen = { allowed: 0, denied: 0, doubtful: 0 };
  fc.assert(
    fc.property(rules, last, fc.constantFrom(80, 443), packet, (list, end, destinationPort, { ttl, flags, payload, oif, mark }) => {
      const hooks = hook('forward', ...list, end);
      const original = flow('198.51.100.7', '203.0.113.5', { destinationPort });
      const found = judgeWays(waysOf({ original, translated: original, state: 'new' }, routing, false), [hooks], NO_LISTS);
      seen[found.kind]++;
      if (found.kind === 'doubtful') return;
      const transport = { kind: 'tcp', sourcePort: 50_000, destinationPort, flags, payload: Buffer.from(payload) } as const;
      const bytes = buildPacket({ source: original.source, destination: original.destination, ttl, transport });
      const { verdict } = judge(hooks, Packet.fromNetwork(bytes, { state: 'new', iif: 'eth0', oif, mark }), { lists: NO_LISTS });
      expect(found.kind).toBe(verdict === 'allow' ? 'allowed' : 'denied');
    }),
    { numRuns: 300 },
  );
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(50);
});
