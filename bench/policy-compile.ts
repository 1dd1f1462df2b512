// Rules in the order of judgement to the netlink bytes of one transaction.
import { NftTransaction } from '@weir/netlink/nftables';
import { CompileMemo, type CompileOptions, compileRules } from '../apps/weir/src/compile/nft/policy/index.ts';
import { encodeOperation } from '../apps/weir/src/kernel/nft/operations.ts';
import { planTable } from '../apps/weir/src/reconcile/owned-table.ts';
import { planChange } from '../apps/weir/src/reconcile/table-change.ts';
import { type Bench, type BenchOptions, quantile, type Row } from './bench.ts';
import { policy } from './load/policy.ts';

const BUDGET = 500;
const ADDRESS = { family: 'inet', table: 'weir' } as const;

const FORMS: readonly (readonly [string, Pick<CompileOptions, 'linear' | 'maps'>])[] = [
  ['maps', {}],
  ['tree', { maps: false }],
  ['one by one', { linear: true }],
];

function measure(count: number, name: string, form: Pick<CompileOptions, 'linear' | 'maps'>, rounds: number): Row {
  const times: { compile: number; plan: number; encode: number; total: number; cpu: number }[] = [];
  let row: Row = {};
  for (let i = 0; i < rounds; i++) {
    // New objects each time: nothing is remembered from the last round.
    const hooks = [policy(count)];
    const before = process.cpuUsage();
    const start = performance.now();
    const { table } = compileRules(hooks, [], { table: 'weir', ...form });
    const compiled = performance.now();
    const plan = planTable(ADDRESS, table, undefined, false);
    const planned = performance.now();
    const transaction = new NftTransaction<number>(1 << 20);
    for (const [index, operation] of [...plan.prepare, ...plan.enforce].entries())
      encodeOperation(transaction, operation, index, new Map());
    const end = performance.now();
    times.push({ compile: compiled - start, plan: planned - compiled, encode: end - planned, total: end - start, cpu: cpuSince(before) });
    row = {
      rules: count,
      form: name,
      chains: table.chains.length,
      'rules in chains': table.chains.reduce((sum, chain) => sum + chain.rules.length, 0),
      MB: transaction.length / 1e6,
    };
  }
  const median = (key: keyof (typeof times)[0]): number =>
    quantile(
      times.map((time) => time[key]),
      0.5,
    );
  return {
    ...row,
    'compile ms': median('compile'),
    'plan ms': median('plan'),
    'encode ms': median('encode'),
    'total ms': median('total'),
    'CPU ms': median('cpu'),
    ...(count === 10_000 ? { 'budget ms': BUDGET } : {}),
  };
}

/** One rule is another: the rest is remembered, and what is known to be in the kernel is not read. */
function measureChange(count: number, rounds: number): Row {
  const memo = new CompileMemo();
  let { table } = compileRules([policy(count)], [], { table: 'weir', memo });
  const times: { compile: number; plan: number; cpu: number }[] = [];
  for (let i = 0; i < rounds; i++) {
    const hooks = [policy(count, 'prerouting', Math.floor(((i + 1) * count) / (rounds + 2)))];
    const before = process.cpuUsage();
    const start = performance.now();
    const next = compileRules(hooks, [], { table: 'weir', memo }).table;
    const compiled = performance.now();
    const plan = planChange(ADDRESS, next, table, () => []);
    if (!plan) throw new Error('the table is to be replaced');
    times.push({ compile: compiled - start, plan: performance.now() - compiled, cpu: cpuSince(before) });
    table = next;
  }
  const median = (key: keyof (typeof times)[0]): number =>
    quantile(
      times.map((time) => time[key]),
      0.5,
    );
  return {
    rules: count,
    form: 'maps, one rule changed',
    'compile ms': median('compile'),
    'plan ms': median('plan'),
    'CPU ms': median('cpu'),
  };
}

/** Milliseconds, user and system. */
function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

export const bench: Bench = {
  name: 'policy-compile',
  summary: 'rules to netlink bytes, the median of some rounds',
  async run({ smoke }: BenchOptions) {
    const counts = smoke ? [100] : [100, 1000, 10_000];
    return counts.flatMap((count) => [
      ...FORMS.map(([name, form]) => measure(count, name, form, smoke ? 2 : 7)),
      measureChange(count, smoke ? 2 : 7),
    ]);
  },
};
