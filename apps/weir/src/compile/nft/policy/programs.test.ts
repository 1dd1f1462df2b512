import { type Expr, ipSetOfPrefixes, type Operand, rangeSet, packetExpr as x } from '@weir/filter/ir';
import { prefix } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import type { NamedSet } from '../../../model/named-set.ts';
import type { Rule } from '../../../model/rule.ts';
import { testRule as rule } from '../../test-rule.ts';
import { ruleFingerprint } from '../expressions.ts';
import type { RuleImage } from '../image.ts';
import { printTable } from '../print.ts';
import { type CompiledRules, CompileMemo, checkRules, compileRules } from './index.ts';

const WEB = { name: 'web', target: { kind: 'owned' }, guard: { maxMembers: 1000 } } as unknown as NamedSet;
const int = (field: string, first: number, last = first): Expr => x.int(field, rangeSet([{ first, last }]));
const from = (network: string): Expr => x.ip('ip.src', ipSetOfPrefixes([prefix(network)]));
const FIRST_BITS: Operand = {
  kind: 'call',
  name: 'cidr',
  args: [
    { kind: 'field', name: 'ip.src' },
    { kind: 'int', value: 24 },
    { kind: 'int', value: 64 },
  ],
};
/** nf_tables has no way to say it: of IPv6 packets the field is 40 less. */
const odd: Expr = x.test({ kind: 'bits', operand: { kind: 'field', name: 'ip.len' }, mask: 1 });
const third: Expr = x.test({ kind: 'bits', operand: { kind: 'field', name: 'ip.len' }, mask: 6 });

function compile(expression: Expr, more: Partial<Rule> = {}): CompiledRules {
  const rules = [rule('one', expression, { kind: 'deny' }, more), rule('default', x.constant(true))];
  return compileRules([{ hook: 'input', priority: 0, rules }], [WEB], { table: 'weir' });
}

/** What rules called `one` ask, in order. */
function asked({ table, problems }: CompiledRules): readonly string[][] {
  expect(problems).toEqual([]);
  return rulesOf(table.chains.flatMap((chain) => chain.rules)).map(({ matches }) =>
    matches.map((match) => (match.kind === 'field' ? String(match.field) : match.kind)),
  );
}

const rulesOf = (rules: readonly RuleImage[]): readonly RuleImage[] => rules.filter(({ name }) => name === 'one');

describe('what nf_tables cannot say is asked of programs', () => {
  it('a part of a conjunction, after the others', () => {
    expect(asked(compile(x.and([odd, x.flag('ct.new'), from('192.0.2.0/24')])))).toEqual([['connection', 'saddr4', 'program']]);
  });

  it('several parts, of one program', () => {
    const compiled = compile(x.and([odd, x.flag('ct.new'), x.not(third)]));
    expect(asked(compiled)).toEqual([['connection', 'program']]);
    expect(compiled.table.programs).toHaveLength(1);
  });

  it('a negation, of a program of its own', () => {
    const [yes, no] = [compile(odd), compile(x.not(odd))];
    expect([asked(yes), asked(no)]).toEqual([[['program']], [['program']]]);
    expect(yes.table.programs?.[0]?.name).not.toBe(no.table.programs?.[0]?.name);
  });

  it('a whole alternative, where programs can ask all of it', () => {
    expect(asked(compile(x.and([x.flag('ct.new'), x.or([odd, int('tcp.dstport', 80)])])))).toEqual([['connection', 'program']]);
  });

  it('members of sets and states stay with nf_tables, also beside it in an alternative', () => {
    const compiled = compile(x.or([x.list('ip.src', 'web'), odd]));
    const kinds = asked(compiled).flat();
    expect(kinds.filter((kind) => kind === 'program')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'member')).toHaveLength(4);
    expect(asked(compile(x.or([x.flag('ct.new'), odd]))).flat()).toEqual(expect.arrayContaining(['connection', 'program']));
  });

  it('what takes more chains than there can be', () => {
    const parts = Array.from({ length: 14 }, (_, i) => x.or([x.not(int('tcp.dstport', i)), x.not(int('udp.dstport', i + 100))]));
    expect(asked(compile(x.and([x.flag('ct.new'), ...parts])))).toEqual([['connection', 'program']]);
  });

  it('members of a set in a way that nf_tables cannot say, of the set’s own map', () => {
    const compiled = compile(x.or([x.test({ kind: 'list', operand: FIRST_BITS, list: 'web' }), odd]));
    expect(asked(compiled)).toEqual([['program']]);
    const [program] = compiled.table.programs ?? [];
    const lists = program?.kind === 'code' ? program.lists : undefined;
    expect(lists?.map(({ list, family, members }) => [list, family, members])).toEqual([
      ['web', 4, undefined],
      ['web', 6, undefined],
    ]);
    expect(lists?.every(({ slots, masks }) => slots.length > 0 && masks.length > 0)).toBe(true);
  });

  it('members of a set of the user’s own table', () => {
    const other = { name: 'other', target: { kind: 'user' }, guard: { maxMembers: 1000 } } as unknown as NamedSet;
    const rules = [rule('one', x.not(x.list('ip.src', 'other')), { kind: 'deny' })];
    expect(asked(compileRules([{ hook: 'input', priority: 0, rules }], [WEB, other], { table: 'weir' }))).toEqual([['program']]);
  });

  it('limits, logs and marks stay as they are', () => {
    const limit = { unit: 'packets', rate: 10, burst: 10, per: 'source' } as const;
    const rules = [rule('one', odd, { kind: 'rate-limit', limit }, { log: true }), rule('default', x.constant(true))];
    const { table, problems } = compileRules([{ hook: 'input', priority: 0, rules }], [], { table: 'weir' });
    expect([problems, table.meters?.length]).toEqual([[], 2]);
  });

  it('programs are plain data, and the same for the same expression', () => {
    const { table } = compile(odd);
    expect(JSON.parse(JSON.stringify(table))).toEqual(table);
    expect(compile(x.and([odd, x.flag('ct.new')])).table.programs).toEqual(table.programs);
    expect(compile(third).table.programs).not.toEqual(table.programs);
  });

  it('another program is another rule', () => {
    const [a, b] = [odd, third].map((one) => rulesOf(compile(one).table.chains.flatMap((chain) => chain.rules)).map(ruleFingerprint));
    expect(a).not.toEqual(b);
  });

  it('what is as it was is not compiled again, and has its program all the same', () => {
    const memo = new CompileMemo();
    const rules = [rule('one', odd, { kind: 'deny' }), rule('default', x.constant(true))];
    const hooks = [{ hook: 'input', priority: 0, rules } as const];
    const first = compileRules(hooks, [], { table: 'weir', memo });
    const again = compileRules(hooks, [], { table: 'weir', memo });
    expect(again).toEqual(first);
    expect(again.table.programs).toHaveLength(1);
  });

  it('a script of nft has it as a remark', () => {
    expect(printTable(compile(odd).table)).toMatch(/# xt match bpf counter drop comment "one"/);
  });
});

describe('a check', () => {
  const hooks = (expression: Expr) => [
    { hook: 'input', priority: 0, rules: [rule('one', expression), rule('default', x.constant(true))] } as const,
  ];
  it.each([
    { name: 'what can be asked', expression: odd },
    { name: 'what cannot', expression: x.list('ip.src', 'other') },
    { name: 'both', expression: x.or([odd, x.list('ip.src', 'other')]) },
    { name: 'several values of an address', expression: x.and([odd, from('2001:db8::/32')]) },
  ])('says the same of $name, also the second time', ({ expression }) => {
    const { problems } = compileRules(hooks(expression), [WEB], { table: 'weir' });
    for (let i = 0; i < 2; i++) expect(checkRules(hooks(expression), [WEB], { table: 'weir' })).toEqual(problems);
  });
});

describe('what programs cannot ask either', () => {
  it.each([
    {
      name: 'a set that is not in the table',
      expression: x.list('ip.src', 'other'),
      construct: '$other, which is not a set of the table that Weir owns',
    },
    { name: 'a cgroup', expression: int('cgroup.id', 1), construct: 'cgroup.id' },
  ])('$name', ({ expression, construct }) => {
    expect(compile(expression).problems).toMatchObject([
      { rule: 'one', construct, message: `nf_tables cannot express ${construct}, and neither can an eBPF program inside it` },
    ]);
  });
});
