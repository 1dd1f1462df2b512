// A policy into the kernel, and one rule of it changed, beside `nft -f` of the same.
import { CompileMemo, type CompileOptions, compileRules } from '../apps/weir/src/compile/nft/policy/index.ts';
import { printTable } from '../apps/weir/src/compile/nft/print.ts';
import { NftBackend } from '../apps/weir/src/kernel/nft/nft-backend.ts';
import type { HookRules } from '../apps/weir/src/model/rule.ts';
import { Problems } from '../apps/weir/src/reconcile/problems.ts';
import { TableKeeper } from '../apps/weir/src/reconcile/table-keeper.ts';
import { type Host, Lab } from '../test/lab/index.ts';
import { type Bench, type BenchOptions, beside, quantile, type Row } from './bench.ts';
import { policy } from './load/policy.ts';

interface Cost {
  readonly ms: number;
  /** User and system. */
  readonly cpu: number;
  readonly operations: number;
}

/** A table that Weir owns, as the kernel worker has it: what was compiled last is remembered, and the table is read only when others changed it. */
class Worker {
  readonly #backend: NftBackend;
  readonly #keeper: TableKeeper;
  readonly #memo = new CompileMemo();

  constructor(backend: NftBackend) {
    this.#backend = backend;
    this.#keeper = new TableKeeper(backend, new Problems(() => undefined));
  }

  /** The policy's rules are new objects, as they come from another thread. */
  apply(hooks: readonly HookRules[]): Cost {
    const start = performance.now();
    const before = process.cpuUsage();
    this.#keeper.configure(compileRules(hooks, [], { table: 'weir', memo: this.#memo }).table, undefined);
    if (this.#backend.poll(() => this.#keeper.touch()) === 'lost') this.#keeper.touch();
    const plan = this.#keeper.plan(0);
    const operations = [...(plan?.prepare ?? []), ...(plan?.enforce ?? [])];
    const outcome = this.#backend.commit(operations);
    if (outcome.kind !== 'committed') throw new Error(`the kernel says ${JSON.stringify(outcome)}`);
    this.#keeper.done(0);
    const { user, system } = process.cpuUsage(before);
    return { ms: performance.now() - start, cpu: (user + system) / 1000, operations: operations.length };
  }
}

async function ofWeir(host: Host, count: number, rounds: number): Promise<readonly Row[]> {
  const backend = new NftBackend({ netns: host.path, ownership: false });
  const first: Cost[] = [];
  const changes: Cost[] = [];
  try {
    for (let i = 0; i < rounds; i++) {
      await host.nft('flush ruleset');
      const worker = new Worker(backend);
      first.push(worker.apply([policy(count)]));
      for (const part of [2, 3, 5]) changes.push(worker.apply([policy(count, 'prerouting', Math.floor(count / part))]));
    }
  } finally {
    backend.close();
  }
  const row = (what: string, costs: readonly Cost[]): Row => ({
    rules: count,
    what,
    by: 'Weir: compile, compare, commit',
    ms: median(costs.map((cost) => cost.ms)),
    'CPU ms': median(costs.map((cost) => cost.cpu)),
    operations: median(costs.map((cost) => cost.operations)),
  });
  return [row('all', first), row('one rule', changes)];
}

async function ofNft(host: Host, count: number, rounds: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const [form, by] of FORMS) {
    const text = printTable(compileRules([policy(count)], [], { table: 'weir', ...form }).table);
    const times: number[] = [];
    for (let i = 0; i < rounds; i++) {
      await host.nft('flush ruleset');
      const start = performance.now();
      await host.nft(text);
      times.push(performance.now() - start);
    }
    rows.push({ rules: count, what: 'all', by: `nft -f: ${by}`, ms: median(times) });
  }
  return rows;
}

const FORMS: readonly (readonly [Pick<CompileOptions, 'linear' | 'maps'>, string])[] = [
  [{}, 'the same maps'],
  [{ linear: true }, 'rules one by one'],
];

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
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
