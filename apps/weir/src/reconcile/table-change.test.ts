import { ipSet, rangeSet, packetExpr as x } from '@weir/filter/ir';
import { ip4 } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TableImage } from '../compile/nft/image.ts';
import { CompileMemo, compileRules } from '../compile/nft/policy/index.ts';
import { type KernelBackend, mapLayout, type Operation } from '../kernel/backend.ts';
import { FakeKernel } from '../kernel/fake/index.ts';
import type { Action, Rule } from '../model/rule.ts';
import { planTable } from './owned-table.ts';
import { Problems } from './problems.ts';
import { apart } from './table-change.ts';
import { TableKeeper } from './table-keeper.ts';

const address = { family: 'inet', table: 'weir' } as const;

function hostRule(host: number, kind: number): Rule {
  const source = x.ip('ip.src', ipSet([{ first: ip4(0xc0000200 + host) }]));
  const port = x.int('tcp.dstport', rangeSet([{ first: host, last: host + kind }]));
  const limit: Action = { kind: 'rate-limit', limit: { unit: 'packets', rate: 1 + kind, burst: 5, per: 'source' } };
  const actions: readonly Action[] = [{ kind: 'allow' }, { kind: 'deny' }, limit];
  const expression = kind === 3 ? x.and([x.not(port), source]) : kind === 4 ? x.flag('tcp.flags.syn') : x.and([source, port]);
  return {
    ref: `h${host}`,
    name: `h${host}`,
    stage: 'policy',
    priority: 1,
    expression,
    text: '',
    action: actions[kind] ?? { kind: 'log' },
    log: false,
    audit: false,
    provenance: { kind: 'builtin' },
  };
}

type Hosts = readonly (readonly [host: number, kind: number])[];

function imageOf(hosts: Hosts, memo?: CompileMemo): TableImage {
  const rules = hosts.map(([host, kind]) => hostRule(host, kind));
  return compileRules([{ hook: 'input', priority: 0, rules }], [], { table: 'weir', memo }).table;
}

/** What others do, and what goes wrong. */
const DISTURBANCES = {
  nothing: () => undefined,
  'a chain is flushed': (kernel: FakeKernel) => {
    const chain = [...(kernel.ruleset.table(address)?.chains.values() ?? [])].at(-1);
    if (chain) kernel.foreign([{ kind: 'flush-chain', address, name: chain.name }]);
  },
  'a rule is deleted': (kernel: FakeKernel) => {
    const chain = [...(kernel.ruleset.table(address)?.chains.values() ?? [])].find((one) => one.rules.length > 0);
    const [rule] = chain?.rules ?? [];
    if (chain && rule) kernel.foreign([{ kind: 'delete-rule', address, chain: chain.name, handle: rule.handle }]);
  },
  'an element of a map is deleted': (kernel: FakeKernel) => {
    const map = [...(kernel.ruleset.table(address)?.maps.values() ?? [])].find((one) => one.entries.size > 0);
    const [entry] = map?.entries.values() ?? [];
    if (!map || !entry) return;
    kernel.foreign([{ kind: 'delete-entries', address: { ...address, set: map.name }, layout: mapLayout(map), entries: [entry] }]);
  },
  'a chain comes in': (kernel: FakeKernel) => {
    kernel.foreign([{ kind: 'add-chain', address, name: 'theirs', hook: undefined }]);
  },
  'the ruleset is flushed': (kernel: FakeKernel) => kernel.flush(),
  'another table changes': (kernel: FakeKernel) => {
    kernel.foreign([{ kind: 'put-table', address: { family: 'inet', table: 'theirs' }, comment: '', owned: false }]);
  },
  'notifications are lost': (kernel: FakeKernel) => {
    kernel.flush();
    kernel.loseNotifications();
  },
  'the commit is refused': (kernel: FakeKernel) => kernel.fail({ kind: 'refuse', code: 'ENOMEM', operation: 0 }),
  'the answer is lost': (kernel: FakeKernel) => kernel.fail({ kind: 'lost-answer', applied: true }),
  'the answer is lost, and the commit': (kernel: FakeKernel) => kernel.fail({ kind: 'lost-answer', applied: false }),
  'others are faster': (kernel: FakeKernel) => kernel.fail({ kind: 'meanwhile', run: () => kernel.flush() }),
} as const;
type Disturbance = keyof typeof DISTURBANCES;

/** A keeper as the reconciler drives it. */
class Driver {
  readonly kernel = new FakeKernel({ ownership: false });
  readonly #backend: KernelBackend;
  readonly #keeper: TableKeeper;
  #now = 0;
  /** How often the table was read. */
  reads = 0;

  constructor() {
    const backend = this.kernel.open();
    const readTable = backend.readTable.bind(backend);
    this.#backend = Object.assign(backend, {
      readTable: (of: typeof address) => {
        this.reads++;
        return readTable(of);
      },
    });
    this.#keeper = new TableKeeper(this.#backend, new Problems(() => undefined));
  }

  configure(image: TableImage): void {
    this.#keeper.configure(image, undefined);
    for (let i = 0; i < 4; i++) this.settle();
  }

  settle(): void {
    this.#now += 1_000_000;
    const backend = this.#backend;
    const state = backend.poll(({ changes }) => {
      if (changes.some((change) => this.#keeper.isAt(change.address))) this.#keeper.touch();
    });
    if (state === 'lost') this.#keeper.touch();
    const plan = this.#keeper.plan(this.#now);
    if (!plan) return;
    const operations = [...plan.prepare, ...plan.enforce];
    const outcome = operations.length === 0 ? ({ kind: 'committed' } as const) : backend.commit(operations);
    if (outcome.kind === 'committed') this.#keeper.done(this.#now);
    else if (outcome.kind === 'unknown') this.#keeper.touch();
    else for (const refusal of outcome.refusals) this.#keeper.refused(refusal, undefined, this.#now);
  }

  /** What reading the table finds to be done. */
  left(image: TableImage): readonly Operation[] {
    const backend = this.#backend;
    const plan = planTable(address, image, backend.readTable(address), false, (set) => backend.readMap({ ...address, set }));
    return [...plan.prepare, ...plan.enforce];
  }
}

const lists = fc.uniqueArray(fc.tuple(fc.nat(60), fc.nat(4)), { selector: ([host]) => host, maxLength: 40 });
const edits = fc.record({
  list: lists,
  /** The list that was before, but for its first rules. */
  keep: fc.boolean(),
  before: fc.constantFrom(...(Object.keys(DISTURBANCES) as Disturbance[])),
});

describe('a table that is known and not read', () => {
  it('ends as one that is read each time, whatever others do and whatever fails', () => {
    fc.assert(
      fc.property(fc.array(edits, { minLength: 2, maxLength: 6 }), (steps) => {
        const driver = new Driver();
        const memo = new CompileMemo();
        let last: Hosts = [];
        for (const { list, keep, before } of steps) {
          const hosts: Hosts = keep ? [...list.slice(0, 2), ...last.filter(([host]) => !list.slice(0, 2).some(([h]) => h === host))] : list;
          last = hosts;
          const image = imageOf(hosts, memo);
          DISTURBANCES[before](driver.kernel);
          driver.configure(image);
          driver.kernel.heal();
          expect(driver.left(image)).toEqual([]);
          expect(image).toEqual(imageOf(hosts));
        }
      }),
      { numRuns: 40 },
    );
  });

  it('is not read for a change of a rule, nor for what others do elsewhere', () => {
    const driver = new Driver();
    const memo = new CompileMemo();
    const hosts: Hosts = Array.from({ length: 60 }, (_, i) => [i, i % 5]);
    driver.configure(imageOf(hosts, memo));
    const reads = driver.reads;
    DISTURBANCES['another table changes'](driver.kernel);
    driver.configure(imageOf([[61, 0], ...hosts.slice(1)], memo));
    driver.configure(imageOf(hosts.slice(2), memo));
    expect(driver.reads).toBe(reads);
  });

  it('is read after what others do to it, and put right', () => {
    const driver = new Driver();
    const image = imageOf(Array.from({ length: 60 }, (_, i) => [i, i % 2] as const));
    driver.configure(image);
    for (const name of ['a chain is flushed', 'an element of a map is deleted', 'a chain comes in'] as const) {
      const reads = driver.reads;
      DISTURBANCES[name](driver.kernel);
      expect(driver.left(image), name).not.toEqual([]);
      driver.settle();
      expect(driver.left(image), name).toEqual([]);
      expect(driver.reads, name).toBeGreaterThan(reads);
    }
  });
});

it('lists are told apart by their objects, wherever they were put or left out', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 60 }), fc.array(fc.nat(2), { maxLength: 60 }), (first, second) => {
      const all = Array.from({ length: 60 }, (_, i) => ({ i }));
      const [a, b] = [all.filter((_, i) => first[i] !== false), all.filter((_, i) => second[i] !== 0)];
      const [onlyA, onlyB] = apart(a, b);
      // What is left out of both is the same in both, in one order; what is in one alone stays.
      const left = (list: readonly object[], only: readonly object[]): readonly object[] => list.filter((one) => !only.includes(one));
      expect(left(a, onlyA)).toEqual(left(b, onlyB));
      expect(onlyA).toEqual(expect.arrayContaining(a.filter((one) => !b.includes(one))));
      expect(onlyB).toEqual(expect.arrayContaining(b.filter((one) => !a.includes(one))));
    }),
  );
});

it('one item more or less among many costs itself alone', () => {
  const all = Array.from({ length: 1000 }, (_, i) => ({ i }));
  expect(apart(all, all.toSpliced(500, 1))).toEqual([[{ i: 500 }], []]);
  expect(apart(all.toSpliced(10, 1).toSpliced(900, 1), all)).toEqual([[], [{ i: 10 }, { i: 901 }]]);
});
