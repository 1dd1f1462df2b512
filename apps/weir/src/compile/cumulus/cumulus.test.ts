import { type Expr, type IpSet, ipSetOfPrefixes, packetExpr as x } from '@weir/filter/ir';
import { type Prefix, parsePrefix } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import { type CumulusOptions, DEFAULT_CUMULUS } from '../../model/cumulus.ts';
import type { Provenance } from '../../model/provenance.ts';
import type { Action, HookRules, RateLimit, Rule } from '../../model/rule.ts';
import { readExpression } from '../judgement/read-expression.ts';
import { testRule } from '../test-rule.ts';
import { type CumulusText, compileCumulus, type MembersOf } from './index.ts';

const allow: Action = { kind: 'allow' };
const deny: Action = { kind: 'deny' };
const WRITTEN: Provenance = { kind: 'file', span: { file: 'policy.yaml', line: 7, column: 3, length: 4 } };

function rule(ref: string, text: string | Expr, action?: Action, more: Partial<Rule> = {}): Rule {
  if (typeof text !== 'string') return testRule(ref, text, action, { provenance: WRITTEN, ...more });
  return testRule(ref, readExpression(text, new Set(['set'])), action, { text, provenance: WRITTEN, ...more });
}

function hook(rules: readonly Rule[], more: Partial<HookRules> = {}): HookRules {
  return { hook: 'forward', priority: 0, rules: [...rules, rule('<default>', x.constant(true), deny, { stage: 'default' })], ...more };
}

function prefixes(...texts: readonly string[]): IpSet {
  const read = (text: string): Prefix => {
    const parsed = parsePrefix(text);
    if (!parsed.ok) throw new Error(text);
    return parsed.prefix;
  };
  return ipSetOfPrefixes(texts.map(read));
}

const SET = prefixes('192.0.2.1/32', '198.51.100.0/24', '2001:db8::/48');
const members: MembersOf = (name) => (name === 'set' ? SET : undefined);

function compile(hooks: readonly HookRules[], options: Partial<CumulusOptions> = {}): CumulusText {
  return compileCumulus(hooks, { ...DEFAULT_CUMULUS, ...options }, members);
}

const limit = (per: RateLimit['per'], unit: RateLimit['unit'] = 'packets'): Action => ({
  kind: 'rate-limit',
  limit: { unit, rate: 100, burst: 20, per },
});

const GOLDENS: readonly { readonly name: string; readonly hooks: readonly HookRules[]; readonly options?: Partial<CumulusOptions> }[] = [
  {
    name: 'addresses',
    hooks: [
      hook([
        rule('set', 'ip.src in $set', deny),
        rule('not-set', 'not ip.dst in $set and ip.src in {203.0.113.0/24}'),
        rule('several', 'ip.src in {192.0.2.0/24 198.51.100.1..198.51.100.9 2001:db8::1..2001:db8::ffff} and tcp.dstport == 80'),
        rule('not', 'not ip.src in {192.0.2.0/24} and ip.dst in {0.0.0.0/0}', deny),
      ]),
    ],
  },
  {
    name: 'fields',
    hooks: [
      hook([
        rule('ports', `udp.dstport in {${Array.from({ length: 20 }, (_, i) => i * 10).join(' ')} 5000..6000}`),
        rule('syn', 'tcp.flags.syn and not tcp.flags.ack'),
        rule('flags', 'tcp.flags & 3 and tcp.dstport == 80'),
        rule('later-fragments', 'ip.frag_offset > 0', deny),
        rule('fragments', 'ip.frag and ip.src in {0.0.0.0/0}', deny),
        rule('ttl', 'ip.ttl in {3..9 64 250..255}'),
        rule('length', 'meta.len in {0..100 1500}'),
        rule('tos', 'ip.tos & 6 or ip.dscp == 46'),
        rule('icmp', 'icmp.type == 3 and icmp.code in {1 4} or icmpv6.type in {128 129}'),
        rule('icmp-not', 'icmp.type == 3 and not icmp.code == 4 or icmpv6.type == 1 and not icmpv6.code == 4'),
        rule('protocols', 'ip.proto in {"tcp" "gre"}'),
      ]),
    ],
  },
  {
    name: 'negations',
    hooks: [
      hook([
        rule('not-web', 'not tcp.dstport == 80 and ip.src in {192.0.2.0/24}', deny),
        rule('neither', 'not tcp.dstport == 80 and not udp.dstport == 53 and ip.src in {192.0.2.0/24}', deny),
        rule('known', 'tcp.srcport == 1 and not tcp.dstport == 80', deny),
        rule('no-flags', 'not tcp.flags.syn and ip.src in {192.0.2.0/24}', deny),
      ]),
    ],
  },
  {
    name: 'interfaces',
    options: { inInterfaces: ['swp+', 'bond+', 'swp1'] },
    hooks: [
      hook([
        rule('one', 'iif.name == "swp3" and oif.name == "swp4"'),
        rule('some', 'iif.name strict wildcard "swp*"'),
        rule('elsewhere', 'iif.name == "eth0"'),
        rule('not-bonds', 'not iif.name strict wildcard "bond*"', deny),
      ]),
      hook([rule('out', 'udp.dstport == 53')], { hook: 'output' }),
      hook([rule('early', 'udp.dstport == 53', { kind: 'dscp', dscp: 10 })], { hook: 'prerouting', priority: -150 }),
    ],
  },
  {
    name: 'actions',
    hooks: [
      hook([
        rule('log', 'ip.ttl == 1 or ip.ttl == 2 and tcp.dstport == 80 or udp.dstport == 53', { kind: 'log' }),
        rule('overlap', 'ip.ttl == 1 or tcp.dstport == 80 and tcp.srcport == 1', { kind: 'mark', mark: 16 }),
        rule('reset', 'ip.ttl == 3', { kind: 'reject', with: 'tcp-reset' }, { log: true }),
        rule('rate', 'ip.src in {192.0.2.0/24 198.51.100.0/24} and ip.ttl == 5', limit('rule')),
        rule('rate-one', 'ip.src in {192.0.2.0/24} and ip.ttl == 6', limit('rule')),
        rule('rate-source', 'ip.ttl == 7', limit('source'), { log: true }),
        rule('police', 'ip.dst in {192.0.2.0/24}', { kind: 'police', limit: { unit: 'packets', rate: 10, burst: 10, per: 'rule' } }),
        rule('audit', 'ip.ttl == 8', deny, { audit: true }),
        rule('a $(name)\n[iptables]', 'ip.ttl == 9'),
      ]),
    ],
  },
  {
    name: 'skips',
    hooks: [
      hook([
        rule('s1', 'ip.src in {192.0.2.0/24}', { kind: 'skip', to: 'c' }),
        rule('a', 'tcp.dstport == 80', deny),
        rule('s2', 'ip.ttl == 1', { kind: 'skip', to: undefined }, { log: true }),
        rule('b', 'tcp.dstport == 81', deny),
        rule('c', 'tcp.dstport == 82'),
      ]),
    ],
  },
  {
    name: 'state',
    options: { state: true },
    hooks: [
      hook([rule('established', 'ct.established or ct.related'), rule('not-web', 'ip.proto == "tcp" and not tcp.dstport == 80', deny)]),
    ],
  },
  {
    name: 'hardware',
    options: { matches: 'hardware' },
    hooks: [
      hook([
        rule('range', 'ip.src in {192.0.2.1..192.0.2.6} and tcp.dstport in {80 8000..8100}'),
        rule('not', 'not ip.src in {192.0.0.0/2} and ip.dst in {192.0.2.1}', deny),
        rule('fragments', 'ip.frag_offset > 0 and ip.dscp == 10', deny),
        rule('syn', 'tcp.flags.syn and not tcp.flags.ack'),
      ]),
    ],
  },
];

describe('rules as an ACL file', () => {
  it.each(GOLDENS)('$name', async ({ name, hooks, options }) => {
    const { text, refusals, lines } = compile(hooks, options);
    expect(refusals).toEqual([]);
    expect(compile(hooks, options).text).toBe(text);
    const written = text.split('\n').filter((line) => line.startsWith('-') && line.includes(' -j ')).length;
    expect(lines[4] + lines[6]).toBe(written);
    // Nothing but sections, comments and rules, whatever rules are called.
    expect(text.split('\n').filter((line) => !/^(-A |-t mangle -A |# |$|\[(?:iptables|ip6tables)\]$)/.test(line))).toEqual([]);
    await expect(text).toMatchFileSnapshot(`golden/${name}.rules`);
  });

  it.each([
    { state: false, want: ['# forward: nothing is established, as no state is kept'] },
    { state: true, want: ['-A FORWARD -m conntrack --ctstate INVALID', '# established'] },
  ])('has the entry of the base for what is established where state is kept: $state', ({ state, want }) => {
    const established = rule('established:0', 'ct.established or ct.related', allow, {
      name: 'established',
      stage: 'established',
      provenance: { kind: 'builtin' },
    });
    const { text, refusals } = compile([hook([established, rule('web', 'tcp.dstport == 80')])], { state });
    expect(refusals).toEqual([]);
    expect(text.split('\n').slice(1, 1 + want.length)).toEqual(want);
    expect(text.includes('--ctstate ESTABLISHED')).toBe(state);
  });

  it('says nothing of hooks that are not asked for', () => {
    const { text, refusals } = compile([hook([rule('ct', 'ct.new')], { hook: 'input' }), hook([], { hook: 'xdp' })], {
      hooks: ['forward'],
    });
    expect({ text, refusals }).toEqual({ text: '[iptables]\n\n[ip6tables]\n', refusals: [] });
  });
});

describe('what an ACL file cannot say is refused, with its rule', () => {
  it.each([
    { text: 'ct.established', construct: 'ct.established: the ACLs of a switch know no connections; `state: true` is for targets that do' },
    { text: 'not tcp.dstport == 80', construct: 'not tcp.dstport in IPv6 without a protocol' },
    {
      text: 'ip.proto == "tcp" and not tcp.dstport == 80',
      construct: 'not tcp.dstport in IPv6: ip6tables cannot ask for the fragments that have none',
    },
    { text: 'ip.frag', construct: 'ip.frag in IPv6: ip6tables cannot tell a last fragment from an atomic one' },
    { text: 'not iif.name == "swp1"', construct: 'swp+ without swp1: an interface is asked for once in a line' },
    { text: 'not ip.proto == "tcp"', construct: 'a protocol that it is not, in IPv6' },
    { text: 'udp.payload contains "x"', construct: 'contains on udp.payload' },
    { text: 'tcp.window == 0', construct: 'tcp.window' },
    { text: 'icmp.type == 255', construct: 'ICMP type 255' },
    { text: 'icmp.code == 1', construct: 'icmp.code without icmp.type' },
  ])('$text', ({ text, construct }) => {
    const { refusals } = compile([hook([rule('bad', text), rule('good', 'tcp.dstport == 80')])]);
    expect(refusals).toMatchObject([{ hook: 'forward', rule: 'bad', construct, provenance: { kind: 'file' } }]);
  });

  it.each([
    { name: 'bytes', action: limit('source', 'bytes'), construct: 'a rate of bytes' },
    {
      name: 'both families',
      action: limit('rule'),
      construct: 'a rate that IPv4 and IPv6 have together: iptables and ip6tables count by themselves (one rule for each family)',
    },
    { name: 'a codepoint', action: { kind: 'dscp', dscp: 1 } as const, construct: 'a codepoint at forward' },
  ])('actions: $name', ({ action, construct }) => {
    expect(compile([hook([rule('bad', 'ip.ttl == 1', action)])]).refusals).toMatchObject([{ construct }]);
  });

  it.each([
    { text: 'ip.ttl == 64', action: { kind: 'log' } as const, construct: '-j LOG, which hardware does not do and go on' },
    { text: 'meta.len == 64', action: allow, construct: '-m length, which hardware does not match on' },
    {
      text: 'ip.proto.num in {0..5 7..255} and ip.dst in {0.0.0.0/0}',
      action: allow,
      construct: 'an inverse match, which hardware does not do',
    },
    {
      text: 'iif.name strict wildcard "swp1*"',
      action: allow,
      construct: 'the interfaces swp1+: wildcards of hardware are swp+ and bond+',
    },
  ])('in hardware: $text', ({ text, action, construct }) => {
    expect(compile([hook([rule('bad', text, action)])], { matches: 'hardware' }).refusals).toMatchObject([{ rule: 'bad', construct }]);
  });

  it('a change of what a skip before it has asked for', () => {
    const rules = [
      rule('s', 'meta.mark == 1', { kind: 'skip', to: 'c' }),
      rule('m', 'ip.ttl == 1', { kind: 'mark', mark: 1 }),
      rule('c', 'tcp.dstport == 82'),
    ];
    expect(compile([hook(rules)]).refusals).toMatchObject([
      { rule: 'm', construct: 'a change of meta.mark between a skip that asks for it and where that leads' },
    ]);
  });

  it('members that nobody knows, and more than may be written', () => {
    const bad = [hook([rule('bad', 'ip.src in $set', deny)])];
    expect(compileCumulus(bad, DEFAULT_CUMULUS, () => undefined).refusals).toMatchObject([
      { construct: '$set, whose members are not known here' },
    ]);
    expect(compileCumulus(bad, DEFAULT_CUMULUS, () => 'too-many').refusals).toMatchObject([
      { construct: '$set, which has more members than rules may be written' },
    ]);
    const many = prefixes(...Array.from({ length: 20 }, (_, i) => `192.0.2.${i * 2}/32`));
    const bounded = { ...DEFAULT_CUMULUS, maxRules: 20 };
    expect(compileCumulus(bad, bounded, () => many).refusals).toMatchObject([
      { rule: '<default>', construct: 'more than 20 lines (`max_rules`)' },
    ]);
    const more = [hook([rule('bad', 'ip.src in $set and tcp.dstport in {1..2 4..5 7..8 10..11 13..14 16..17 19..20 22..23}', deny)])];
    expect(compileCumulus(more, bounded, () => many).refusals).toMatchObject([
      { rule: 'bad', construct: 'more than 20 lines of one rule' },
    ]);
  });

  it('a priority that has no chain', () => {
    expect(compile([hook([], { priority: 5 })]).refusals).toMatchObject([
      { rule: undefined, message: 'an ACL file has no chain for forward of priority 5' },
    ]);
  });
});
