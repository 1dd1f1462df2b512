import { describe, expect, test } from 'vitest';
import { importPrograms } from '../convert.ts';
import { readRuleset } from './read-ruleset.ts';

const payload = (protocol: string, field: string) => ({ payload: { protocol, field } });
const meta = (key: string) => ({ meta: { key } });
const match = (left: unknown, right: unknown, op = '==') => ({ match: { op, left, right } });
const drop = { drop: null };

/** The listing of one table with a base chain of these rules. */
function listing(rules: readonly (readonly unknown[])[], more: readonly unknown[] = [], chain: object = {}): string {
  const where = { family: 'inet', table: 't' };
  return JSON.stringify({
    nftables: [
      { metainfo: { version: '1.0.6' } },
      { table: { family: 'inet', name: 't', handle: 1 } },
      ...more,
      { chain: { ...where, name: 'c', handle: 1, type: 'filter', hook: 'input', prio: 0, policy: 'accept', ...chain } },
      ...rules.map((expr, i) => ({ rule: { ...where, chain: 'c', handle: i + 10, expr } })),
    ],
  });
}

function importRule(expr: readonly unknown[], more: readonly unknown[] = []): unknown {
  const { policy, entries } = importPrograms([readRuleset(listing([expr], more), 'rules.json')], ['rules.json']);
  const entry = entries.find((e) => e.where?.startsWith('rule '));
  if (entry?.status === 'unsupported' || entry?.status === 'error') return entry.reasons.join('; ');
  return policy?.rules.filter((r) => r.priority === undefined).map((r) => ({ ...r.match, ...r.action }));
}

const deny = { action: 'deny' };
const ipv4 = { source_cidrs: ['0.0.0.0/0'] };
const ipv6 = { source_cidrs: ['::/0'] };

describe('matches', () => {
  test.each([
    { name: 'an address', expr: [match(payload('ip', 'saddr'), '192.0.2.1')], want: [{ source_cidrs: ['192.0.2.1'], ...deny }] },
    {
      name: 'another than an address is of the same family',
      expr: [match(payload('ip6', 'daddr'), { prefix: { addr: '2001:db8::', len: 32 } }, '!=')],
      want: [{ ...ipv6, expression: 'not ip.dst in {2001:db8::/32}', ...deny }],
    },
    {
      name: 'addresses',
      expr: [
        match(payload('ip', 'daddr'), {
          set: ['192.0.2.1', { range: ['198.51.100.0', '198.51.100.3'] }, { prefix: { addr: '203.0.113.0', len: 24 } }],
        }),
      ],
      want: [{ destination_cidrs: ['192.0.2.1', '198.51.100.0/30', '203.0.113.0/24'], ...deny }],
    },
    {
      name: 'ports',
      expr: [match(payload('tcp', 'dport'), { set: [22, { range: [80, 90] }] })],
      want: [{ protocol: 'tcp', destination_ports: ['22', '80-90'], ...deny }],
    },
    {
      name: 'another port',
      expr: [match(payload('udp', 'sport'), 53, '!=')],
      want: [{ protocol: 'udp', source_ports: ['0-52', '54-65535'], ...deny }],
    },
    {
      name: 'ports of either protocol',
      expr: [match(meta('l4proto'), { set: ['tcp', 'udp'] }), match(payload('th', 'dport'), 53)],
      want: [{ expression: '(tcp.dstport == 53 or udp.dstport == 53)', ...deny }],
    },
    {
      name: 'ports below',
      expr: [match(payload('tcp', 'dport'), 1024, '<')],
      want: [{ protocol: 'tcp', destination_ports: ['0-1023'], ...deny }],
    },
    { name: 'interfaces', expr: [match(meta('iifname'), { set: ['eth0', 'wg*'] })], want: [{ in_interface: ['eth0', 'wg*'], ...deny }] },
    { name: 'another interface', expr: [match(meta('iifname'), 'lo', '!=')], want: [{ expression: 'iif.name != "lo"', ...deny }] },
    {
      name: 'states',
      expr: [match({ ct: { key: 'state' } }, ['established', 'related'], 'in')],
      want: [{ state: ['established', 'related'], ...deny }],
    },
    { name: 'another state', expr: [match({ ct: { key: 'state' } }, 'invalid', '!=')], want: [{ expression: 'not ct.invalid', ...deny }] },
    {
      name: 'one of the flags',
      expr: [match(payload('tcp', 'flags'), ['syn', 'rst'], 'in')],
      want: [{ protocol: 'tcp', expression: 'tcp.flags & 0x6', ...deny }],
    },
    {
      name: 'flags under a mask',
      expr: [match({ '&': [payload('tcp', 'flags'), ['fin', 'syn', 'rst', 'ack']] }, 'syn')],
      want: [{ protocol: 'tcp', expression: 'tcp.flags & 0x2 and not tcp.flags & 0x15', ...deny }],
    },
    {
      name: 'a mark under a mask',
      expr: [match({ '&': [meta('mark'), 0xff] }, 1)],
      want: [{ expression: 'meta.mark & 0x1 and not meta.mark & 0xfe', ...deny }],
    },
    {
      name: 'an ICMP type',
      expr: [match(payload('icmp', 'type'), 'echo-request')],
      want: [{ protocol: 'icmp', ...ipv4, expression: 'icmp.type == 8', ...deny }],
    },
    {
      name: 'a hop limit',
      expr: [match(payload('ip6', 'hoplimit'), 255, '!=')],
      want: [{ ...ipv6, expression: 'ip.ttl in {0..254}', ...deny }],
    },
    {
      name: 'the payload length of IPv6',
      expr: [match(payload('ip6', 'length'), { range: [10, 20] })],
      want: [{ ...ipv6, expression: 'ip.len in {50..60}', ...deny }],
    },
    {
      name: 'a later fragment',
      expr: [match({ '&': [payload('ip', 'frag-off'), 0x1fff] }, 0, '!=')],
      want: [{ ...ipv4, expression: 'ip.frag_offset > 0', ...deny }],
    },
    { name: 'a family', expr: [match(meta('nfproto'), 'ipv6')], want: [{ ...ipv6, ...deny }] },
  ])('$name', ({ expr, want }) => {
    expect(importRule([...expr, drop])).toEqual(want);
  });

  test('values side by side become a rule for each port', () => {
    const left = { concat: [payload('ip', 'saddr'), payload('tcp', 'dport')] };
    const right = { set: [{ concat: ['192.0.2.1', 80] }, { concat: ['192.0.2.2', 80] }, { concat: ['192.0.2.9', { range: [1, 9] }] }] };
    expect(importRule([match(left, right), drop])).toEqual([
      { protocol: 'tcp', source_cidrs: ['192.0.2.1', '192.0.2.2'], destination_ports: ['80'], ...deny },
      { protocol: 'tcp', source_cidrs: ['192.0.2.9'], destination_ports: ['1-9'], ...deny },
    ]);
  });

  test('named sets: addresses become a list, others stand in the rule, what packets fill is to be filled', () => {
    const set = (name: string, type: string, elem: readonly unknown[], flags: readonly string[] = []) => ({
      set: { family: 'inet', table: 't', name, type, elem, flags },
    });
    const sets = [
      set('admins', 'ipv4_addr', ['192.0.2.1', { prefix: { addr: '198.51.100.0', len: 24 } }]),
      set('ports', 'inet_service', [22, 80]),
      set('Seen-By', 'ipv4_addr', [], ['dynamic']),
    ];
    const rules = [
      [match(payload('ip', 'saddr'), '@admins'), match(payload('tcp', 'dport'), '@ports'), drop],
      [match(payload('ip', 'saddr'), '@Seen-By', '!='), drop],
    ];
    const { policy } = importPrograms([readRuleset(listing(rules, sets), 'r')], ['r']);
    expect(policy?.rules.map((r) => r.match)).toEqual([
      { protocol: 'tcp', ...ipv4, destination_ports: ['22', '80'], expression: 'ip.src in $admins' },
      { ...ipv4, expression: 'not ip.src in $seen_by' },
    ]);
    expect([...(policy?.lists ?? [])]).toEqual([['admins', ['192.0.2.1', '198.51.100.0/24']]]);
    expect(policy?.toFill.map((s) => [s.name, s.original])).toEqual([['seen_by', 'Seen-By']]);
  });

  test.each([
    { elem: payload('ip', 'saddr'), want: { ...ipv4, rate_limit_per: 'source' } },
    { elem: { '&': [payload('ip', 'saddr'), '255.255.254.0'] }, want: { ...ipv4, rate_limit_per: 'source/23/46' } },
    { elem: { '&': [payload('ip6', 'daddr'), 'ffff:ffff:ffff::'] }, want: { ...ipv6, rate_limit_per: 'destination/32/48' } },
  ])('a rate for each address or prefix: $want', ({ elem, want }) => {
    const limit = { limit: { rate: 5, burst: 7, per: 'second' } };
    const rules = importRule([{ set: { op: 'update', elem, set: '@s', stmt: [limit] } }, { accept: null }]);
    expect(rules).toEqual([{ action: 'rate_limit', rate_limit_pps: 5, rate_limit_burst: 7, ...want }]);
  });

  test('verdict maps', () => {
    const vmap = {
      vmap: {
        key: payload('tcp', 'dport'),
        data: {
          set: [
            [22, { accept: null }],
            [{ range: [23, 24] }, drop],
          ],
        },
      },
    };
    expect(importRule([vmap])).toEqual([
      { protocol: 'tcp', destination_ports: ['22'], action: 'allow' },
      { protocol: 'tcp', destination_ports: ['23-24'], ...deny },
    ]);
  });
});

test('a chain that drops what it does not accept comes before the next one of its hook', () => {
  const chain = (name: string, prio: number, policy: string) => ({
    chain: { family: 'inet', table: 't', name, type: 'filter', hook: 'input', prio, policy },
  });
  const rule = (name: string, expr: readonly unknown[]) => ({ rule: { family: 'inet', table: 't', chain: name, handle: 9, expr } });
  const first = [chain('a', -5, 'drop'), rule('a', [match(payload('tcp', 'dport'), 22), { accept: null }])];
  const { policy } = importPrograms([readRuleset(listing([[match(payload('tcp', 'sport'), 9), drop]], first), 'r')], ['r']);
  expect(policy?.rules.map((r) => [r.match, r.action['action'], r.priority])).toEqual([
    [{ protocol: 'tcp', destination_ports: ['22'] }, 'skip', undefined],
    [{}, 'deny', undefined],
    [{ protocol: 'tcp', source_ports: ['9'] }, 'deny', undefined],
    [{}, 'allow', 65_535],
  ]);
  expect(policy?.rules[0]?.skipTo).toBe(policy?.rules[2]?.ref);
});

describe('what is not translated says why', () => {
  test.each([
    { expr: [match(payload('ether', 'saddr'), '02:00:00:00:00:01'), drop], want: 'ether saddr is not seen by a policy' },
    { expr: [match({ ct: { key: 'mark' } }, 1), drop], want: 'ct mark is not seen by a policy' },
    { expr: [match({ fib: { result: 'oif', flags: ['saddr', 'iif'] } }, false), drop], want: 'fib is not seen by a policy' },
    { expr: [{ 'ct count': { val: 10 } }, drop], want: 'a policy does not count connections' },
    { expr: [{ queue: { num: 0 } }], want: 'a policy hands no packets to programs' },
    { expr: [{ xt: null }], want: 'the rule is made by iptables-nft; import what iptables-save prints instead' },
    { expr: [{ nonesuch: 1 }], want: 'the statement nonesuch is not known' },
    { expr: [match(payload('ip', 'saddr'), '@nowhere'), drop], want: 'there is no set nowhere in table inet t' },
    { expr: [match(payload('ip', 'saddr'), 'nowhere'), drop], want: '"nowhere" is no address' },
    { expr: [{ jump: { target: 'nowhere' } }], want: 'there is no chain nowhere' },
    {
      expr: [
        {
          set: {
            op: 'update',
            elem: { '&': [payload('ip', 'saddr'), '255.0.255.0'] },
            set: '@s',
            stmt: [{ limit: { rate: 5, burst: 7, per: 'second' } }],
          },
        },
        drop,
      ],
      want: 'a rate is counted by parts of addresses that are no prefixes',
    },
    { expr: [drop, drop], want: 'a statement follows the verdict' },
    { expr: [match(meta('skuid'), 0), drop], want: 'a policy sees the user of a socket at hook output alone, not at input' },
  ])('$want', ({ expr, want }) => {
    expect(importRule(expr)).toBe(want);
  });

  test.each([
    { text: '{"nftables": [}', want: ['rules.json', 1, 15] },
    { text: '{\n  "nftables": [1,\n]}', want: ['rules.json', 3, 1] },
    { text: '[]', want: ['rules.json', 1, undefined] },
  ])('what is no listing: $text', ({ text, want }) => {
    const { policy, entries } = importPrograms([readRuleset(text, 'rules.json')], ['rules.json']);
    expect(policy).toBeUndefined();
    expect([entries[0]?.file, entries[0]?.line, entries[0]?.column]).toEqual(want);
    expect(entries[0]?.status).toBe('error');
  });

  test.each([
    { chain: { type: 'nat' }, want: 'chains of type nat translate addresses; they are not filtering' },
    { chain: { hook: 'postrouting' }, want: 'a policy has no hook postrouting' },
    { chain: { hook: 'ingress' }, want: 'a policy has no hook ingress' },
  ])('$want', ({ chain, want }) => {
    const { entries } = importPrograms([readRuleset(listing([[drop]], [], chain), 'r')], ['r']);
    expect(entries.filter((e) => e.status === 'unsupported').map((e) => e.reasons)).toEqual([[want], [want]]);
  });
});
