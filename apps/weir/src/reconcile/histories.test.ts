import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Prefix, prefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TableImage } from '../compile/nft/image.ts';
import type { KernelPlan } from '../compile/nft/targets.ts';
import type { Operation, SetAddress } from '../kernel/backend.ts';
import { elementKey, type FakeCommit, FakeCrash, FakeKernel, type FakeRange, overlap, rangesOfPrefixes } from '../kernel/fake/index.ts';
import type { MemberDelta, PrefixColumns } from '../model/member-delta.ts';
import { Reconciler } from './reconciler.ts';

/** What is wanted comes from here; nested, adjacent, at both ends. */
const OURS = [
  '203.0.113.0/24',
  '203.0.113.64/26',
  '203.0.113.64/32',
  '203.0.113.127/32',
  '203.0.113.128/25',
  '203.0.113.128/32',
  '203.0.113.255/32',
  '192.0.2.8/29',
  '192.0.2.15/32',
  '192.0.2.16/32',
  '255.255.255.255/32',
  '0.0.0.0/8',
].map(prefix);
/** What others add: near, above and below, never the same. */
const THEIRS = [
  '203.0.113.0/25',
  '203.0.113.64/27',
  '203.0.113.129/32',
  '192.0.2.0/24',
  '192.0.2.9/32',
  '198.51.100.1/32',
  '0.0.0.0/1',
].map(prefix);

const USER = { family: 'inet', table: 'user' } as const;
const NETS: SetAddress = { ...USER, set: 'nets' };
const HOSTS: SetAddress = { ...USER, set: 'hosts' };
const OWN = { family: 'inet', table: 'weir' } as const;
const OWN_HOSTS: SetAddress = { ...OWN, set: 'own_v4' };
const OWN_NETS: SetAddress = { ...OWN, set: 'own_v4_net' };
const SETS = [NETS, HOSTS, OWN_HOSTS, OWN_NETS] as const;
const NAMES = ['nets', 'hosts', 'own'] as const;

const image: TableImage = {
  name: 'weir',
  sets: [
    { name: 'own_v4', family: 4, interval: false, size: 65_536, comment: 'hosts of own' },
    { name: 'own_v4_net', family: 4, interval: true, size: undefined, comment: 'networks of own' },
  ],
  chains: [
    {
      name: 'border_b',
      hook: undefined,
      rules: ['own_v4', 'own_v4_net'].map((set) => ({
        name: 'allow own',
        matches: [{ kind: 'member', family: 4, side: 'destination', set }],
        verdict: { kind: 'accept' },
      })),
    },
    { name: 'input', hook: 'input', rules: [{ name: 'border b', matches: [], verdict: { kind: 'jump', chain: 'border_b' } }] },
  ],
};

const plan: KernelPlan = {
  targets: [
    ...(['nets', 'hosts'] as const).map((set) => ({
      key: `user ${set}`,
      set,
      family: 4 as const,
      cut: false,
      place: { kind: 'user', ...USER, set } as const,
    })),
    { key: 'owned', set: 'own', family: 4, cut: false, place: { kind: 'owned', table: 'weir', hosts: 'own_v4', networks: 'own_v4_net' } },
  ],
  table: image,
};

type ForeignStep =
  | { readonly kind: 'foreign-add' | 'foreign-delete'; readonly set: number; readonly element: number }
  | { readonly kind: 'flush-set'; readonly set: number }
  | { readonly kind: 'delete-table' | 'flush-ruleset' };

type Step =
  | ForeignStep
  | {
      readonly kind: 'members';
      readonly set: number;
      readonly changes: readonly (readonly [number, boolean])[];
      readonly complete: boolean;
    }
  | { readonly kind: 'make-table' | 'delete-own-table' | 'delete-own-rule' }
  | { readonly kind: 'refuse'; readonly code: string; readonly operation: number | undefined }
  | { readonly kind: 'lost-answer' | 'crash-at-commit'; readonly applied: boolean }
  | { readonly kind: 'meanwhile'; readonly step: ForeignStep }
  | { readonly kind: 'lose-notifications' | 'partial-listings' | 'poll' | 'crash' | 'configure' };

const nat = fc.nat({ max: 20 });
const foreign: fc.Arbitrary<ForeignStep> = fc.oneof(
  fc.record({ kind: fc.constant('foreign-add' as const), set: fc.nat({ max: 1 }), element: nat }),
  fc.record({ kind: fc.constant('foreign-delete' as const), set: nat, element: nat }),
  fc.record({ kind: fc.constant('flush-set' as const), set: nat }),
  fc.record({ kind: fc.constantFrom('delete-table' as const, 'flush-ruleset' as const) }),
);
const members = fc.record({
  kind: fc.constant('members' as const),
  set: nat,
  changes: fc.array(fc.tuple(fc.nat({ max: OURS.length - 1 }), fc.boolean()), { maxLength: 6 }),
  complete: fc.boolean(),
});
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: members },
  { weight: 4, arbitrary: foreign },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('poll' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'make-table' as const,
        'delete-own-table' as const,
        'delete-own-rule' as const,
        'crash' as const,
        'configure' as const,
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('lost-answer' as const, 'crash-at-commit' as const), applied: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('meanwhile' as const), step: foreign }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('refuse' as const),
      code: fc.constantFrom('EPERM', 'ERESTART', 'EMSGSIZE', 'ENOENT', 'EEXIST', 'ENFILE', 'ENOMEM'),
      operation: fc.option(fc.nat({ max: 6 }), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('lose-notifications' as const, 'partial-listings' as const) }) },
);

function columns(prefixes: readonly Prefix[]): PrefixColumns {
  return {
    family: 4,
    count: prefixes.length,
    words: Uint32Array.from(prefixes, (p) => p.w0),
    lengths: Uint8Array.from(prefixes, (p) => p.length),
  };
}

function delta(set: string, changes: ReadonlyMap<number, boolean>, complete: boolean): MemberDelta {
  const prefixes = [...changes.keys()].map((i) => OURS[i]!);
  return { set, complete, ...columns(prefixes), wanted: Uint8Array.from(changes.values(), Number), oldest: 0 };
}

const rangeOf = (p: Prefix): FakeRange => rangesOfPrefixes(columns([p]))[0]!;
const RANGES = OURS.map(rangeOf);
const HOST = (range: FakeRange): boolean => range.first === range.last;

/** The world: a kernel, a process that may die, what is wanted, and the invariants at every commit. */
class World {
  readonly kernel: FakeKernel;
  readonly directory: string = mkdtempSync(join(tmpdir(), 'weir-histories-'));
  readonly wanted = new Map<string, Set<number>>(NAMES.map((name) => [name, new Set()]));
  readonly wrong: string[] = [];
  now = 0;
  reconciler: Reconciler | undefined;
  backend: ReturnType<FakeKernel['open']> | undefined;
  sent = 0;
  /** Others changed something after Weir had looked and before it committed: what is missing then is not Weir's doing. */
  disturbed = false;

  constructor(ownership: boolean) {
    this.kernel = new FakeKernel({ ownership, observe: (commit) => this.#judge(commit) });
    this.makeTable();
    this.start();
  }

  makeTable(): void {
    const there = this.kernel.hasTable(USER);
    if (there) return;
    const spec = { family: 4, size: undefined, comment: '' } as const;
    this.kernel.foreign([
      { kind: 'put-table', address: USER, comment: '', owned: false },
      { kind: 'add-set', address: USER, set: { ...spec, name: 'nets', interval: true } },
      { kind: 'add-set', address: USER, set: { ...spec, name: 'hosts', interval: false } },
    ]);
  }

  #judge({ operations, before, after, process }: FakeCommit): void {
    for (const address of SETS) {
      const was = [...(before.set(address)?.elements.values() ?? [])];
      const is = [...(after.set(address)?.elements.values() ?? [])];
      const keys = new Set(is.map(elementKey));
      for (const element of was) {
        if (!element.by.startsWith('weir') && address.table === 'user' && !keys.has(elementKey(element)))
          this.wrong.push(`${process} deleted ${elementKey(element)} of ${element.by} from ${address.set}`);
      }
    }
    for (const name of NAMES) {
      const sets = SETS.filter((address) => nameOf(address) === name);
      const was = sets.flatMap((address) => [...(before.set(address)?.elements.values() ?? [])]);
      const is = sets.flatMap((address) => [...(after.set(address)?.elements.values() ?? [])]);
      for (const i of this.wanted.get(name) ?? []) {
        const { first, last } = RANGES[i]!;
        if (name === 'hosts' && first !== last) continue;
        for (const point of [first, last]) {
          const at = { first: point, last: point };
          const had = was.some((e) => e.by.startsWith('weir') && overlap(e, at));
          if (had && !this.disturbed && !is.some((e) => overlap(e, at))) this.wrong.push(`a gap at ${point} in ${name}`);
        }
      }
    }
    this.disturbed = false;
    this.sent += operations.reduce((n, o) => n + ('elements' in o ? o.elements.count : 0), 0);
  }

  start(): void {
    this.backend = this.kernel.open();
    this.reconciler = new Reconciler({ backend: this.backend, stateDirectory: this.directory, emit: () => undefined, now: () => this.now });
    this.guard((r) => r.configure(plan));
  }

  /** Does something in the process; if it dies of it, another one starts. */
  guard(action: (reconciler: Reconciler) => void): void {
    const { reconciler } = this;
    if (!reconciler) throw new Error('not running');
    try {
      action(reconciler);
    } catch (error) {
      if (!(error instanceof FakeCrash)) throw error;
      this.crash();
    }
  }

  crash(): void {
    // What a dead process leaves is the kernel and its files, which are written as they are: nothing is buffered.
    this.backend?.close();
    this.start();
    this.complete();
  }

  complete(): void {
    this.guard((r) => r.apply(NAMES.map((name) => delta(name, new Map([...this.wanted.get(name)!].map((i) => [i, true])), true))));
  }

  foreignElements(address: SetAddress): string[] {
    return this.kernel
      .elements(address)
      .filter((e) => !e.by.startsWith('weir'))
      .map(elementKey);
  }

  take(step: Step): void {
    switch (step.kind) {
      case 'members': {
        const name = NAMES[step.set % NAMES.length]!;
        const wanted = this.wanted.get(name)!;
        const changes = new Map(step.changes);
        if (step.complete) wanted.clear();
        for (const [i, on] of changes) {
          if (on) wanted.add(i);
          else wanted.delete(i);
        }
        const sent = step.complete ? new Map([...wanted].map((i) => [i, true])) : changes;
        this.guard((r) => r.apply([delta(name, sent, step.complete)]));
        return;
      }
      case 'foreign-add':
        this.kernel.foreign([
          {
            kind: 'add-elements',
            address: SETS[step.set]!,
            interval: step.set === 0,
            elements: columns([
              THEIRS.filter((p) => step.set === 0 || p.length === 32)[step.element % (step.set === 0 ? THEIRS.length : 3)]!,
            ]),
          },
        ]);
        return;
      case 'foreign-delete': {
        const address = SETS[step.set % SETS.length]!;
        const elements = this.kernel.elements(address);
        const element = elements[step.element % Math.max(1, elements.length)];
        const known = element && [...OURS, ...THEIRS].find((p) => elementKey(rangeOf(p)) === elementKey(element));
        if (known) this.kernel.foreign([remove(address, [known])]);
        return;
      }
      case 'flush-set': {
        const address = SETS[step.set % SETS.length]!;
        const there = new Set(this.kernel.elements(address).map(elementKey));
        this.kernel.foreign([
          remove(
            address,
            [...OURS, ...THEIRS].filter((p) => there.has(elementKey(rangeOf(p)))),
          ),
        ]);
        return;
      }
      case 'delete-table':
        this.kernel.foreign([{ kind: 'delete-table', address: USER }]);
        return;
      case 'make-table':
        this.makeTable();
        return;
      case 'flush-ruleset':
        this.kernel.flush();
        return;
      case 'delete-own-table':
        this.kernel.foreign([{ kind: 'delete-table', address: OWN }]);
        return;
      case 'delete-own-rule': {
        const handle = this.kernel.ruleset.table(OWN)?.chains.get('border_b')?.rules[0]?.handle;
        if (handle !== undefined) this.kernel.foreign([{ kind: 'delete-rule', address: OWN, chain: 'border_b', handle }]);
        return;
      }
      case 'refuse':
        this.kernel.fail({ kind: 'refuse', code: step.code, operation: step.operation });
        return;
      case 'lost-answer':
        this.kernel.fail({ kind: 'lost-answer', applied: step.applied });
        return;
      case 'crash-at-commit':
        this.kernel.fail({ kind: 'crash', applied: step.applied });
        return;
      case 'meanwhile':
        this.kernel.fail({
          kind: 'meanwhile',
          run: () => {
            this.disturbed = true;
            this.take(step.step);
          },
        });
        return;
      case 'lose-notifications':
        this.kernel.loseNotifications();
        return;
      case 'partial-listings':
        this.kernel.partialListings = true;
        return;
      case 'poll':
        this.now += 250;
        this.guard((r) => r.poll());
        return;
      case 'crash':
        this.crash();
        return;
      case 'configure':
        this.guard((r) => r.configure(plan));
        return;
    }
  }

  /** Faults are over, and time passes until everything that waits has been tried. */
  settle(): void {
    this.kernel.heal();
    this.makeTable();
    // More than the longest retry, several times.
    for (let i = 0; i < 20; i++) {
      this.now += 31_000;
      this.guard((r) => r.poll());
    }
  }

  /** What the kernel is to have of Weir's. */
  expected(address: SetAddress): string[] {
    const theirs = address.table === 'user' ? this.kernel.elements(address).filter((e) => !e.by.startsWith('weir')) : [];
    const wanted = [...this.wanted.get(nameOf(address))!].map((i) => RANGES[i]!);
    const interval = address === NETS || address === OWN_NETS;
    const fit = wanted.filter(
      (r) => (address.table === 'weir' ? HOST(r) !== interval : interval || HOST(r)) && !theirs.some((t) => overlap(t, r)),
    );
    const widest = fit.filter((r) => !fit.some((o) => o !== r && o.first <= r.first && o.last >= r.last));
    return widest.map(elementKey).sort();
  }

  check(): void {
    for (const address of SETS) {
      const ours = this.kernel
        .elements(address)
        .filter((e) => e.by.startsWith('weir'))
        .map(elementKey)
        .sort();
      expect({ set: address.set, ours }).toEqual({ set: address.set, ours: this.expected(address) });
    }
    expect(this.foreignElements(OWN_HOSTS).concat(this.foreignElements(OWN_NETS))).toEqual([]);
    const own = this.kernel.ruleset.table(OWN);
    expect([...(own?.chains.values() ?? [])].map((chain) => [chain.name, chain.rules.map((rule) => rule.name)]).sort()).toEqual([
      ['border_b', ['allow own', 'allow own']],
      ['input', ['border b']],
    ]);
    expect(this.wrong).toEqual([]);
    const problems = this.reconciler!.status().problems.filter((p) => p.kind !== 'conflict' && p.kind !== 'drift');
    expect(problems).toEqual([]);
  }

  end(): void {
    this.reconciler?.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function nameOf(address: SetAddress): string {
  return address.table === 'weir' ? 'own' : address.set;
}

function remove(address: SetAddress, prefixes: readonly Prefix[]): Operation {
  return { kind: 'delete-elements', address, interval: address === NETS || address === OWN_NETS, elements: columns(prefixes) };
}

/** WEIR_SEED repeats a history, WEIR_RUNS makes more of them. */
const seed = Number(process.env['WEIR_SEED'] ?? Math.floor(Math.random() * 0x7fffffff));
const runs = Number(process.env['WEIR_RUNS'] ?? 40);

describe('random histories of members, other processes, faults and crashes', () => {
  it.each([true, false])(
    `with ownership %s the kernel ends with what is wanted and what is foreign, without a gap (seed ${seed})`,
    (ownership) => {
      console.log(`histories: WEIR_SEED=${seed}`);
      fc.assert(
        fc.property(fc.array(stepArbitrary, { maxLength: 30 }), (steps) => {
          const world = new World(ownership);
          try {
            world.complete();
            for (const step of steps) world.take(step);
            world.settle();
            world.check();
            const { sent } = world;
            const { generation } = world.kernel;
            world.complete();
            world.guard((r) => r.poll());
            expect({ sent: world.sent, generation: world.kernel.generation }).toEqual({ sent, generation });
            world.crash();
            expect(world.sent).toBe(sent);
            world.check();
          } finally {
            world.end();
          }
        }),
        { seed, numRuns: runs },
      );
    },
    120_000,
  );
});
