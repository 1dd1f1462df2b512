// A policy into the kernel, and one rule of it changed, beside `nft -f` of the same.
import { compileRules } from '../apps/weir/src/compile/nft/policy/index.ts';
import { printTable } from '../apps/weir/src/compile/nft/print.ts';
import { NftBackend } from '../apps/weir/src/kernel/nft/nft-backend.ts';
import { planTable } from '../apps/weir/src/reconcile/owned-table.ts';
import { type Host, Lab } from '../test/lab/index.ts';
import { type Bench, type BenchOptions, beside, quantile, type Row } from './bench.ts';
import { policy } from './load/policy.ts';

const address = { family: 'inet', table: 'weir' } as const;

/** Compiles, reads what is there, sends the difference; returns how many operations that took. */
function apply(backend: NftBackend, count: number, odd: number): number {
  const { table } = compileRules([policy(count, 'prerouting', odd)], [], { table: 'weir' });
  const plan = planTable(address, table, backend.readTable(address), false, (set) => backend.readMap({ ...address, set }));
  const operations = [...plan.prepare, ...plan.enforce];
  const outcome = backend.commit(operations);
  if (outcome.kind !== 'committed') throw new Error(`the kernel says ${JSON.stringify(outcome)}`);
  return operations.length;
}

async function ofWeir(host: Host, count: number, rounds: number): Promise<readonly Row[]> {
  const backend = new NftBackend({ netns: host.path, ownership: false });
  const first: number[] = [];
  const changes: number[] = [];
  let operations = 0;
  try {
    for (let i = 0; i < rounds; i++) {
      await host.nft('flush ruleset');
      const start = performance.now();
      apply(backend, count, -1);
      const loaded = performance.now();
      operations = apply(backend, count, Math.floor(count / 2));
      changes.push(performance.now() - loaded);
      first.push(loaded - start);
    }
  } finally {
    backend.close();
  }
  return [
    { rules: count, what: 'all', by: 'Weir: compile, read, commit', ms: quantile(first, 0.5) },
    { rules: count, what: 'one rule', by: 'Weir: compile, read, commit', ms: quantile(changes, 0.5), operations },
  ];
}

async function ofNft(host: Host, count: number, rounds: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const linear of [false, true]) {
    const text = printTable(compileRules([policy(count)], [], { table: 'weir', linear }).table);
    const times: number[] = [];
    for (let i = 0; i < rounds; i++) {
      await host.nft('flush ruleset');
      const start = performance.now();
      await host.nft(text);
      times.push(performance.now() - start);
    }
    rows.push({ rules: count, what: 'all', by: linear ? 'nft -f: rules one by one' : 'nft -f: the same tree', ms: quantile(times, 0.5) });
  }
  return rows;
}

export const bench: Bench = {
  name: 'policy-apply',
  summary: 'a policy into the kernel, and one rule of it changed',
  needsRoot: true,
  async run({ smoke }: BenchOptions) {
    const lab = new Lab();
    try {
      const host = await lab.host('apply');
      const rows: Row[] = [];
      for (const count of smoke ? [100] : [1000, 10_000]) {
        const rounds = smoke ? 1 : 5;
        rows.push(...(await ofWeir(host, count, rounds)), ...(await beside('nft', 'nft', () => ofNft(host, count, rounds))));
      }
      return rows;
    } finally {
      await lab.dispose();
    }
  },
};
