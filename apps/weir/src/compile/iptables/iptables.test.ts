import { type Expr, packetExpr as x } from '@weir/filter/ir';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Provenance } from '../../model/provenance.ts';
import type { Action, HookRules, RateLimit, Rule } from '../../model/rule.ts';
import { readExpression } from '../judgement/read-expression.ts';
import { testRule } from '../test-rule.ts';
import { compileIptables } from './index.ts';

const allow: Action = { kind: 'allow' };
const deny: Action = { kind: 'deny' };

const WRITTEN: Provenance = { kind: 'file', span: { file: 'policy.yaml', line: 7, column: 3, length: 4 } };

function rule(ref: string, text: string | Expr, action?: Action, more: Partial<Rule> = {}): Rule {
  if (typeof text !== 'string') return testRule(ref, text, action, { provenance: WRITTEN, ...more });
  return testRule(ref, readExpression(text, new Set(['set'])), action, { text, provenance: WRITTEN, ...more });
}

function hook(rules: readonly Rule[], more: Partial<HookRules> = {}): HookRules {
  return { hook: 'input', priority: 0, rules: [...rules, rule('<default>', x.constant(true), deny, { stage: 'default' })], ...more };
}

const limit = (
  per: 'rule' | 'source' | 'destination',
  rate: number,
  unit: 'packets' | 'bytes' = 'packets',
  prefix?: RateLimit['prefix'],
): Action => ({
  kind: 'rate-limit',
  limit: { unit, rate, burst: 20, per, ...(prefix && { prefix }) },
});

const GOLDENS: readonly { readonly name: string; readonly hooks: readonly HookRules[] }[] = [
  {
    name: 'addresses',
    hooks: [
      hook([
        rule('one', 'ip.src in {192.0.2.0/24 2001:db8::/32} and tcp.dstport == 80'),
        rule('several', 'ip.src in {192.0.2.0/24 198.51.100.1..198.51.100.9} and ip.dst in {203.0.113.0/25 203.0.113.192/26}'),
        rule('not', 'not ip.src in {192.0.2.0/24} and not ip.dst in {192.0.2.1 192.0.2.9}', deny),
      ]),
    ],
  },
  {
    name: 'negations',
    hooks: [
      hook([
        rule('not-web', 'not tcp.dstport == 80', deny),
        rule('not-and', 'not udp.dstport == 53 and tcp.dstport in {22 80}'),
        rule('either', 'tcp.dstport == 22 or not udp.dstport == 53 and ip.ttl > 9', deny, { log: true }),
        rule('logged', 'ip.ttl == 1 and not tcp.dstport == 80 or ip.ttl == 2 and not udp.dstport == 53', { kind: 'log' }),
      ]),
    ],
  },
  {
    name: 'fields',
    hooks: [
      hook([
        rule('syn', 'tcp.flags.syn and not tcp.flags.ack'),
        rule('flags', 'tcp.flags & 3'),
        rule('states', 'ct.new or ct.related or ct.invalid'),
        rule('ttl', 'ip.ttl in {3..9 64 250..255}'),
        rule('length', 'meta.len in {0..100 1500}'),
        rule('tos', 'ip.tos in {16..31} or ip.dscp == 46'),
        rule('mark', 'meta.mark in {16..31 256}'),
        rule('icmp', 'icmp.type == 3 and icmp.code in {1 4} or icmpv6.type in {128 129}'),
        rule('ports', `udp.dstport in {${Array.from({ length: 20 }, (_, i) => i * 10).join(' ')} 5000..6000}`),
        rule('two-names', 'iif.name strict wildcard "eth*" and not iif.name in {"eth0" "eth1"} and not iif.name == "eth2"'),
        rule('two-protocols', 'ip.proto == "tcp" and not ip.proto.num in {6 17}'),
        rule('interfaces', 'iif.name in {"eth0" "eth1"} or iif.name strict wildcard "wg*"'),
      ]),
    ],
  },
  {
    name: 'actions',
    hooks: [
      hook([
        rule('log', 'ip.ttl == 1', { kind: 'log' }),
        rule('mark', 'ip.ttl == 2 or tcp.dstport == 22', { kind: 'mark', mark: 16 }),
        rule('reset', 'ip.ttl == 3', { kind: 'reject', with: 'tcp-reset' }, { log: true }),
        rule('prohibited', 'ip.ttl == 4', { kind: 'reject', with: 'admin-prohibited' }),
        rule('rate', 'ip.ttl == 5', limit('rule', 100)),
        rule('rate-source', 'ip.ttl == 6', limit('source', 50), { log: true }),
        rule('rate-network', 'ip.ttl == 9', limit('source', 50, 'packets', { ip4: 24, ip6: 48 })),
        rule('rate-audit', 'ip.ttl == 7', limit('destination', 5), { audit: true }),
        rule('audit', 'ip.ttl == 8', deny, { audit: true }),
      ]),
    ],
  },
  {
    name: 'skips',
    hooks: [
      hook([
        rule('s1', 'tcp.dstport == 80', { kind: 'skip', to: 'c' }),
        rule('a', 'ip.ttl == 1', deny),
        rule('s2', 'not udp.dstport == 53', { kind: 'skip', to: undefined }),
        rule('b', 'ip.ttl == 2', deny),
        rule('c', 'ip.ttl == 3'),
      ]),
    ],
  },
  {
    name: 'sampled-logs',
    hooks: [
      hook([
        rule('tenth', 'ip.ttl == 1', deny, { log: true, sampling: { every: 10 } }),
        rule('rated', 'ip.ttl == 2', allow, { log: true, sampling: { perSecond: 5 } }),
        rule('both', 'ip.ttl == 3', { kind: 'log' }, { sampling: { every: 2, perSecond: 5 } }),
        rule('limit', 'ip.ttl == 4', limit('rule', 100), { log: true, sampling: { every: 3 } }),
      ]),
    ],
  },
  {
    name: 'hooks',
    hooks: [
      hook([rule('early', 'tcp.dstport == 80', deny)], { hook: 'prerouting', priority: -150 }),
      hook([rule('in', 'tcp.dstport == 80')]),
      hook([rule('through', 'iif.name == "eth0" and oif.name == "eth1"')], { hook: 'forward' }),
      hook([rule('out', 'process.uid == 1000')], { hook: 'output' }),
    ],
  },
];

describe('rules as text for iptables-restore and ip6tables-restore', () => {
  it.each(GOLDENS)('$name', async ({ name, hooks }) => {
    const texts = ([4, 6] as const).map((family) => {
      const { text, refusals } = compileIptables(hooks, family);
      expect(refusals).toEqual([]);
      return text;
    });
    await expect(texts.join('\n')).toMatchFileSnapshot(`golden/${name}.iptables`);
  });
});

describe('what iptables cannot say is refused, with its rule', () => {
  it.each([
    { text: 'bit_slice(udp, 64, 72) == 5', construct: 'bit_slice' },
    { text: 'ip.src in $set', construct: '$set, whose members are not known here' },
    { text: 'udp.payload contains "x"', construct: 'contains on udp.payload' },
    { text: 'ip.id == 5', construct: 'ip.id' },
    { text: 'ip.frag', construct: 'ip.frag' },
    { text: 'tcp.flags.cwr', construct: 'the flags ECE and CWR' },
    { text: 'icmp.code == 1', construct: 'icmp.code without icmp.type' },
    { text: 'icmp.type == 255', construct: 'ICMP type 255' },
    { text: 'ip.proto.num == 0', construct: 'protocol 0' },
    { text: 'tcp.window == 0', construct: 'tcp.window' },
  ])('$text', ({ text, construct }) => {
    const { refusals } = compileIptables([hook([rule('bad', text), rule('good', 'tcp.dstport == 80')])], 4);
    expect(refusals).toMatchObject([
      { hook: 'input', rule: 'bad', construct, message: `iptables cannot express ${construct}`, provenance: { kind: 'file' } },
    ]);
  });

  it.each([
    { name: 'bytes', action: limit('rule', 1000, 'bytes'), construct: 'a rate of bytes' },
    { name: 'a rate that has no whole cost', action: limit('rule', 700_000), construct: 'a rate of 700000 packets with a burst of 20' },
  ])('a limit: $name', ({ action, construct }) => {
    expect(compileIptables([hook([rule('bad', 'ip.ttl == 1', action)])], 4).refusals).toMatchObject([{ construct }]);
  });

  it('a sample that is more than the module counts', () => {
    const bad = rule('bad', 'ip.ttl == 1', deny, { log: true, sampling: { perSecond: 700_000 } });
    expect(compileIptables([hook([bad])], 4).refusals).toMatchObject([{ construct: 'log_rate: 700000' }]);
  });

  it('a hook or a priority that has no chain, and a reject before routing', () => {
    expect(compileIptables([hook([], { hook: 'xdp' })], 4).refusals).toMatchObject([{ rule: undefined, construct: 'xdp' }]);
    expect(compileIptables([hook([], { priority: 5 })], 4).refusals).toMatchObject([
      { message: 'iptables has no hook input of priority 5' },
    ]);
    const early = hook([rule('bad', 'ip.ttl == 1', { kind: 'reject', with: 'port-unreachable' })], { hook: 'prerouting', priority: -150 });
    expect(compileIptables([early], 4).refusals).toMatchObject([{ construct: 'reject at prerouting' }]);
  });

  it('more chains one from the other than the kernel follows', () => {
    const skips = Array.from({ length: 20 }, (_, i) => rule(`s${i}`, `not tcp.dstport == ${i}`, { kind: 'skip', to: undefined }));
    const { refusals } = compileIptables([hook(skips)], 4);
    expect(refusals.length).toBeGreaterThan(0);
    expect(refusals[0]?.construct).toBe('what needs more than 15 chains one from the other');
  });
});

const ATOMS = [
  'tcp.dstport == 80',
  'udp.dstport in {53 123..130}',
  'ip.src in {192.0.2.0/24 2001:db8::/32}',
  'ip.ttl > 9',
  'ct.new',
  'tcp.flags.syn',
  'icmp.type == 8',
  'ip.id == 1',
  'ip.src in $set',
];
const expressions = fc.letrec<{ expr: string }>((tie) => ({
  expr: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(...ATOMS),
    fc.tuple(fc.constantFrom('and', 'or', 'xor'), tie('expr'), tie('expr')).map(([word, a, b]) => `(${a} ${word} ${b})`),
    tie('expr').map((a) => `not (${a})`),
  ),
})).expr;
const actions = fc.constantFrom<Action>(
  allow,
  deny,
  { kind: 'log' },
  { kind: 'mark', mark: 3 },
  { kind: 'skip', to: undefined },
  limit('source', 10),
);

describe('random rules', () => {
  it('come to the same text each time, of lines whose chains are all there, or are refused', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(expressions, actions, fc.boolean()), { maxLength: 6 }), (parts) => {
        const make = (): HookRules[] => [hook(parts.map(([text, action, log], i) => rule(`r${i}`, text, action, { log })))];
        for (const family of [4, 6] as const) {
          const made = compileIptables(make(), family);
          expect(compileIptables(make(), family)).toEqual(made);
          const declared = new Set([...made.text.matchAll(/^:(\S+)/gm)].map((found) => found[1]));
          for (const [, chain] of made.text.matchAll(/ -[jg] (weir_\S+)$/gm)) expect(declared).toContain(chain);
          for (const { construct } of made.refusals) expect(construct).toMatch(/ip\.id|\$set|alternatives|chains/);
        }
      }),
      { numRuns: 60 },
    );
  });
});
