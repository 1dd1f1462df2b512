import { ipSetOfPrefixes, rangeSet, packetExpr as x } from '@weir/filter/ir';
import { prefix } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import type { NamedSet } from '../../../model/named-set.ts';
import type { Action, HookRules, RateLimit, Rule } from '../../../model/rule.ts';
import { testRule as rule } from '../../test-rule.ts';
import { printTable } from '../print.ts';
import { compileRules } from './index.ts';

const WEB = { name: 'web', target: { kind: 'owned' }, guard: { maxMembers: 1000 } } as unknown as NamedSet;
const deny: Action = { kind: 'deny' };
const everything = rule('default', x.constant(true), deny);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const port = (field: string, first: number, last = first): Rule['expression'] => x.int(field, rangeSet([{ first, last }]));
const from = (...networks: string[]): Rule['expression'] => x.ip('ip.src', ipSetOfPrefixes(networks.map(prefix)));
const web = port('tcp.dstport', 80);
const dns = port('udp.dstport', 53);

function hook(rules: readonly Rule[], more: Partial<HookRules> = {}): HookRules {
  return { hook: 'input', priority: 0, rules: [...rules, everything], ...more };
}

const limit = (per: 'rule' | 'source', unit: 'packets' | 'bytes' = 'packets', prefix?: RateLimit['prefix']): Action => ({
  kind: 'rate-limit',
  limit: { unit, rate: 100, burst: 150, per, ...(prefix && { prefix }) },
});

const goldens: readonly { readonly name: string; readonly rules: readonly Rule[]; readonly more?: Partial<HookRules> }[] = [
  { name: 'fields', rules: [rule('web', x.and([from('192.0.2.0/24', '2001:db8::/32'), web]))] },
  { name: 'negations', rules: [rule('not-web', x.not(web), deny), rule('not-from', x.not(from('192.0.2.0/24')))] },
  { name: 'negation-of-what-is-there', rules: [rule('syn', x.and([x.flag('tcp.flags.syn'), x.not(x.flag('tcp.flags.ack'))]))] },
  { name: 'or', rules: [rule('services', x.and([x.or([web, dns]), from('192.0.2.0/24')]))] },
  { name: 'states', rules: [rule('established', x.or([x.flag('ct.established'), x.flag('ct.related')]))] },
  { name: 'xor', rules: [rule('odd', x.xor([web, x.flag('ip.frag'), x.flag('ct.new')]), { kind: 'mark', mark: 5 })] },
  { name: 'by-family', rules: [rule('short', x.and([port('ip.ttl', 0, 5), port('ip.len', 0, 100)]))] },
  {
    name: 'list',
    rules: [rule('listed', x.and([x.list('ip.src', 'web'), web])), rule('not-listed', x.not(x.list('ip.dst', 'web')), deny)],
  },
  { name: 'interfaces', rules: [rule('names', x.bytes('iif.name', [bytes('eth0'), bytes('eth1')]))] },
  {
    name: 'limits',
    rules: [
      rule('all', web, limit('rule')),
      rule('each', dns, limit('source')),
      rule('bytes', x.flag('ct.new'), limit('rule', 'bytes')),
      rule('networks', port('udp.dstport', 123), limit('source', 'packets', { ip4: 24, ip6: 48 })),
    ],
  },
  { name: 'reset', rules: [rule('reset', from('192.0.2.0/24'), { kind: 'reject', with: 'tcp-reset' })] },
  { name: 'audit', rules: [rule('watched', web, deny, { audit: true }), rule('logged', dns, deny, { log: true })] },
  {
    name: 'skips',
    rules: [
      rule('s1', web, { kind: 'skip', to: 'c' }),
      rule('a', dns, deny),
      rule('s2', from('192.0.2.0/24'), { kind: 'skip', to: 'd' }),
      rule('b', x.flag('ct.new'), deny),
      rule('c', x.flag('ct.invalid'), deny),
      rule('d', x.flag('ct.established')),
      rule('s3', x.not(web), { kind: 'skip', to: undefined }),
      rule('e', dns, deny),
    ],
  },
  { name: 'prerouting', rules: [rule('early', web)], more: { hook: 'prerouting', priority: -150 } },
];

describe('rules as nft text', () => {
  it.each(goldens)('$name', async ({ name, rules, more }) => {
    const { table, problems } = compileRules([hook(rules, more)], [WEB], { table: 'weir' });
    expect(problems).toEqual([]);
    // Plain data: what is saved compiles to the same.
    expect(JSON.parse(JSON.stringify(table))).toEqual(table);
    await expect(printTable(table)).toMatchFileSnapshot(`golden/${name}.nft`);
  });
});

it('connections are tracked for others too, once', () => {
  const chains = (rules: readonly Rule[], tracking: boolean): readonly string[] =>
    compileRules([hook(rules)], [], { table: 'weir', tracking }).table.chains.map(({ name }) => name);
  const plain = [rule('from', from('192.0.2.0/24'))];
  expect(chains(plain, false)).toEqual(['input']);
  expect(chains(plain, true)).toEqual(['track', 'input']);
  expect(chains([rule('new', x.flag('ct.new'))], true)).toEqual(['input']);
  // Rules that read ports ask for states anyway.
  expect(chains([rule('web', web)], true)).toEqual(['defragment', 'input']);
});

describe('what nf_tables cannot do without programs is said, with its rule', () => {
  const field = (name: string) => ({ kind: 'field', name }) as const;
  it.each([
    {
      name: 'contains',
      expression: x.test({ kind: 'contains', operand: field('udp.payload'), needle: bytes('x') }),
      construct: 'contains on udp.payload',
    },
    {
      name: 'regex',
      expression: x.test({ kind: 'matches', operand: field('tcp.payload'), pattern: bytes('x') }),
      construct: 'matches on tcp.payload',
    },
    { name: 'sip', expression: x.flag('sip'), construct: 'sip' },
    {
      name: 'a list that is not in the table',
      expression: x.list('ip.src', 'other'),
      construct: '$other, which is not a set of the table that Weir owns',
    },
    { name: 'a list of ports', expression: x.list('tcp.dstport', 'web'), construct: 'tcp.dstport' },
    { name: 'cgroup', expression: x.int('cgroup.id', rangeSet([{ first: 1, last: 1 }])), construct: 'cgroup.id' },
    {
      name: 'an order of names',
      expression: x.test({
        kind: 'bytes-range',
        operand: field('iif.name'),
        above: { value: bytes('a'), included: true },
        below: undefined,
      }),
      construct: 'an order of iif.name',
    },
  ])('$name', ({ expression, construct }) => {
    const { table, problems } = compileRules([hook([rule('bad', expression)])], [WEB], { table: 'weir', programs: 'never' });
    expect(problems).toMatchObject([{ code: 'nft-unsupported', hook: 'input', rule: 'bad', construct }]);
    expect(problems[0]?.message).toContain('it takes an eBPF program');
    expect(table.chains.flatMap((chain) => chain.rules.map((one) => one.name))).toEqual(['default']);
  });

  it('a hook that it has not', () => {
    expect(compileRules([hook([], { hook: 'xdp' })], [], { table: 'weir' }).problems).toMatchObject([{ code: 'nft-hook', hook: 'xdp' }]);
  });

  it('where fragments are not put together yet, those that are not the first have a chain without ports', () => {
    const early = compileRules([hook([rule('web', web), rule('net', from('192.0.2.0/24'))], { hook: 'prerouting', priority: -450 })], [], {
      table: 'weir',
    });
    const chain = (name: string) => early.table.chains.find((one) => one.name === name)?.rules.map((one) => [one.name, one.verdict]);
    expect(early.problems).toEqual([]);
    const later = { kind: 'goto', chain: 'prerouting_m450_later' };
    expect(chain('prerouting_m450')?.slice(0, 3)).toEqual([
      ['later fragments', later],
      ['later fragments', later],
      ['later fragments', { ...later, kind: 'jump' }],
    ]);
    expect(chain('prerouting_m450_later')?.map(([name]) => name)).toEqual(['no later fragment', 'no later fragment', 'net', 'default']);
    const plain = compileRules([hook([rule('net', from('192.0.2.0/24'))], { hook: 'prerouting', priority: -450 })], [], { table: 'weir' });
    expect(plain.table.chains.map(({ name }) => name)).not.toContain('prerouting_m450_later');
  });

  it('a rate has one bucket, whatever of the rule leads to it, and for later fragments too', () => {
    const police = { kind: 'police', limit: { unit: 'packets', rate: 9, burst: 9, per: 'rule' } } as const;
    const either = x.or([port('tcp.dstport', 9), port('udp.dstport', 9)]);
    const list = [rule('ports', either, police), rule('net', from('192.0.2.0/24'), police), rule('web', web)];
    const { table, problems } = compileRules([hook(list, { hook: 'prerouting', priority: -450 })], [], { table: 'weir' });
    expect(problems).toEqual([]);
    const limits = table.chains.flatMap((chain) => chain.rules.filter((one) => one.statements?.some(({ kind }) => kind === 'limit')));
    expect(limits.map((one) => one.name).sort()).toEqual(['net', 'ports']);
  });

  it('more than the kernel follows', () => {
    // Each part has two ways on: together 2 to the power of 14.
    const parts = Array.from({ length: 14 }, (_, i) => x.or([x.not(port('tcp.dstport', i)), x.not(port('udp.dstport', i + 100))]));
    const { problems } = compileRules([hook([rule('deep', x.and(parts))])], [], { table: 'weir', programs: 'never' });
    expect(problems).toMatchObject([{ code: 'nft-too-complex', rule: 'deep' }]);
  });
});

describe('skips one after another', () => {
  it('many that are not simple do not lie too deep in each other', () => {
    const rules = Array.from({ length: 30 }, (_, i) => rule(`s${i}`, x.not(port('tcp.dstport', i)), { kind: 'skip', to: undefined }));
    const { problems, table } = compileRules([hook(rules)], [], { table: 'weir' });
    expect(problems).toEqual([]);
    expect(table.chains.flatMap((chain) => chain.rules.filter((one) => one.name === 's29' && one.count !== false)).length).toBe(1);
  });

  it('one to the next rule counts and goes on', () => {
    const { table } = compileRules([hook([rule('s', web, { kind: 'skip', to: 'n' }, { log: true }), rule('n', dns)])], [], {
      table: 'weir',
    });
    const [first] = table.chains.at(-1)?.rules ?? [];
    expect(first).toMatchObject({ name: 's', verdict: { kind: 'continue' }, statements: [{ kind: 'log', prefix: 'weir input s skip: ' }] });
  });
});

it('names that nft could not read are made readable, and cut at 127 bytes', () => {
  const { table } = compileRules(
    [hook([rule('r', web, deny, { name: `"a"\n${'ä'.repeat(100)}`, log: true, ref: `x${'y'.repeat(200)}` })])],
    [],
    { table: 'weir' },
  );
  const [first] = table.chains.at(-1)?.rules ?? [];
  expect(first?.name.startsWith("'a' ä")).toBe(true);
  expect(new TextEncoder().encode(first?.name).length).toBeLessThanOrEqual(127);
  const [log] = first?.statements ?? [];
  expect(log?.kind === 'log' && new TextEncoder().encode(log.prefix).length).toBe(127);
});
