// Rules in the order of judgement to the netlink bytes of one transaction.
import { NftTransaction } from '@weir/netlink/nftables';
import { compileRules } from '../apps/weir/src/compile/nft/policy/index.ts';
import { encodeOperation } from '../apps/weir/src/kernel/nft/operations.ts';
import { planTable } from '../apps/weir/src/reconcile/owned-table.ts';
import { type Bench, type BenchOptions, quantile, type Row } from './bench.ts';
import { policy } from './load/policy.ts';

const BUDGET = 500;

function measure(count: number, linear: boolean, rounds: number): Row {
  const times: { compile: number; plan: number; encode: number; total: number }[] = [];
  let row: Row = {};
  for (let i = 0; i < rounds; i++) {
    // New objects each time: nothing is remembered from the last round.
    const hooks = [policy(count)];
    const start = performance.now();
    const { table } = compileRules(hooks, [], { table: 'weir', linear });
    const compiled = performance.now();
    const plan = planTable({ family: 'inet', table: 'weir' }, table, undefined, false);
    const planned = performance.now();
    const transaction = new NftTransaction<number>(1 << 20);
    for (const [index, operation] of [...plan.prepare, ...plan.enforce].entries()) encodeOperation(transaction, operation, index);
    const end = performance.now();
    times.push({ compile: compiled - start, plan: planned - compiled, encode: end - planned, total: end - start });
    row = {
      rules: count,
      form: linear ? 'one by one' : 'tree',
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
    ...(count === 10_000 ? { 'budget ms': BUDGET } : {}),
  };
}

export const bench: Bench = {
  name: 'policy-compile',
  summary: 'rules to netlink bytes, the median of some rounds',
  async run({ smoke }: BenchOptions) {
    const counts = smoke ? [100] : [100, 1000, 10_000];
    return counts.flatMap((count) => [false, true].map((linear) => measure(count, linear, smoke ? 2 : 7)));
  },
};
