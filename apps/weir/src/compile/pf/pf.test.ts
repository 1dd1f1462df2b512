import { type Expr, packetExpr as x } from '@weir/filter/ir';
import { describe, expect, it } from 'vitest';
import type { Provenance } from '../../model/provenance.ts';
import type { Action, HookRules, Rule } from '../../model/rule.ts';
import { readExpression } from '../judgement/read-expression.ts';
import { testRule } from '../test-rule.ts';
import { compilePf } from './index.ts';

const allow: Action = { kind: 'allow' };
const deny: Action = { kind: 'deny' };

const WRITTEN: Provenance = { kind: 'file', span: { file: 'policy.yaml', line: 7, column: 3, length: 4 } };

function rule(ref: string, text: string | Expr, action?: Action, more: Partial<Rule> = {}): Rule {
  if (typeof text !== 'string') return testRule(ref, text, action, { provenance: WRITTEN, ...more });
  return testRule(ref, readExpression(text, new Set(['friends'])), action, { text, provenance: WRITTEN, ...more });
}

const ESTABLISHED = rule('established', 'ct.established or ct.related', allow, { stage: 'established' });

function hook(rules: readonly Rule[], more: Partial<HookRules> = {}): HookRules {
  return { hook: 'input', priority: 0, rules: [...rules, rule('<default>', x.constant(true), deny, { stage: 'default' })], ...more };
}

const GOLDENS: readonly { readonly name: string; readonly hooks: readonly HookRules[] }[] = [
  {
    name: 'states',
    hooks: [
      hook([
        rule('loopback', 'iif.name == "lo"', allow, { stage: 'protected', provenance: { kind: 'builtin' } }),
        rule('discovery', 'ip.ttl == 255 and icmpv6.type in {133..136}', allow, { stage: 'protected', provenance: { kind: 'builtin' } }),
        ESTABLISHED,
        rule('web', 'ct.new and tcp.dstport in {80 443 8000..8100} and ip.src in {192.0.2.0/24 2001:db8::/32}'),
        rule('ssh', 'tcp.dstport == 22 and ip.src in {192.0.2.7}', allow, { log: true }),
        rule('syn', 'tcp.flags.syn and not tcp.flags.ack and iif.name in {"em0" "em1"}', deny, { log: true }),
      ]),
    ],
  },
  {
    name: 'packets',
    hooks: [
      hook([rule('dns', 'udp.dstport == 53 or tcp.dstport == 53')]),
      hook([rule('friends', 'ip.dst in $friends'), rule('others', 'not ip.dst in $friends and udp.dstport > 1023')], { hook: 'output' }),
    ],
  },
  {
    name: 'addresses',
    hooks: [
      hook([
        rule('range', 'ip.src in {192.0.2.1..192.0.2.6}'),
        rule('same', 'ip.src in {192.0.2.1..192.0.2.6} and ip.proto == "tcp"'),
        rule('not', 'not ip.src in {192.0.2.0/24}', deny),
        rule('v6', 'ip.src in {::/0}'),
      ]),
    ],
  },
  {
    name: 'actions',
    hooks: [
      hook([
        rule('log', 'tcp.dstport == 1', { kind: 'log' }),
        rule('audit', 'tcp.dstport == 2', deny, { audit: true }),
        rule('reset', 'tcp.dstport == 3', { kind: 'reject', with: 'tcp-reset' }),
        rule('reset-any', 'ip.src in {192.0.2.0/24}', { kind: 'reject', with: 'tcp-reset' }),
        rule('reset-some', 'ip.proto in {"tcp" "udp"}', { kind: 'reject', with: 'tcp-reset' }),
        rule('prohibited', 'icmp.type == 3 and icmp.code in {1 4}', { kind: 'reject', with: 'admin-prohibited' }),
        rule('a "name" with $if', 'ip.tos in {16 24}', { kind: 'reject', with: 'port-unreachable' }),
      ]),
    ],
  },
];

describe('rules as a pf.conf', () => {
  it.each(GOLDENS)('$name', async ({ name, hooks }) => {
    const made = compilePf(hooks);
    expect(made.refusals).toEqual([]);
    expect(compilePf(hooks)).toEqual(made);
    await expect(made.text).toMatchFileSnapshot(`golden/${name}.pf`);
  });
});

const limit: Action = { kind: 'rate-limit', limit: { unit: 'packets', rate: 5, burst: 5, per: 'source' } };

describe('what pf cannot say is refused, with its rule', () => {
  it.each([
    { text: 'bit_slice(udp, 64, 72) == 5', construct: 'bit_slice' },
    { text: 'ip.ttl == 64', construct: 'ip.ttl' },
    { text: 'ct.invalid', construct: 'ct.invalid' },
    { text: 'sctp.dstport == 80', construct: 'sctp.dstport' },
    { text: 'meta.mark == 1', construct: 'meta.mark' },
    { text: 'iif.name strict wildcard "em*"', construct: 'wildcard on iif.name' },
    { text: 'not tcp.dstport == 80', construct: 'tcp.dstport other than a value where packets are of other protocols as well' },
    { text: 'not ip.proto == "tcp"', construct: 'a protocol other than some' },
    { text: 'tcp.dstport == 80', action: limit, construct: 'a rate of packets' },
    { text: 'tcp.dstport == 80', action: { kind: 'mark', mark: 1 } as const, construct: 'a mark' },
    { text: 'tcp.dstport == 80', action: { kind: 'skip', to: undefined } as const, construct: 'skip' },
  ])('$text $construct', ({ text, action = allow, construct }) => {
    const { refusals } = compilePf([hook([ESTABLISHED, rule('bad', text, action)])]);
    expect(refusals).toMatchObject([
      { hook: 'input', rule: 'bad', construct, message: `pf cannot express ${construct}`, provenance: { kind: 'file' } },
    ]);
  });

  it('hooks that it has not, and states where something is dropped before them', () => {
    expect(compilePf([hook([], { hook: 'forward' })]).refusals).toMatchObject([{ rule: undefined, construct: 'forward' }]);
    const cut = compilePf([hook([rule('bad', 'ip.src in $friends', deny), ESTABLISHED, rule('new', 'ct.new')])]);
    expect(cut.refusals.map(({ rule: ref }) => ref)).toEqual(['established', 'new']);
  });
});
