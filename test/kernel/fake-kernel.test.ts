import { type Prefix, prefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KernelBackend, Operation, Outcome, SetAddress } from '../../apps/weir/src/kernel/backend.ts';
import { elementKey, FakeKernel, rangesOfColumns } from '../../apps/weir/src/kernel/fake/index.ts';
import { NftBackend } from '../../apps/weir/src/kernel/nft/nft-backend.ts';
import type { PrefixColumns } from '../../apps/weir/src/model/member-delta.ts';
import { type Host, Lab } from '../lab/index.ts';

const PREFIXES = {
  4: ['192.0.2.0/24', '192.0.2.0/25', '192.0.2.128/26', '192.0.2.128/32', '192.0.2.129/32', '255.255.255.255/32', '0.0.0.0/8'].map(prefix),
  6: ['2001:db8::/32', '2001:db8::/128', '2001:db8::1/128', '2001:db8:8000::/33', 'ffff::/16'].map(prefix),
} as const;
const TABLES = [
  { family: 'inet', table: 'a' },
  { family: 'inet', table: 'b' },
] as const;
const SETS = [
  { name: 'nets4', family: 4, interval: true, size: undefined, comment: '' },
  { name: 'hosts4', family: 4, interval: false, size: 3, comment: '' },
  { name: 'nets6', family: 6, interval: true, size: undefined, comment: '' },
] as const;

function columns(family: 4 | 6, prefixes: readonly Prefix[]): PrefixColumns {
  const words = prefixes.flatMap((p) => (family === 4 ? [p.w0] : [p.w0, p.w1, p.w2, p.w3]));
  return { family, count: prefixes.length, words: Uint32Array.from(words), lengths: Uint8Array.from(prefixes, (p) => p.length) };
}

const table = fc.constantFrom(...TABLES);
const chain = fc.constantFrom('base', 'own');
const elements: fc.Arbitrary<Operation> = fc
  .record({
    kind: fc.constantFrom('add-elements' as const, 'add-elements' as const, 'delete-elements' as const),
    address: table,
    set: fc.constantFrom(...SETS),
    picks: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
  })
  .map(({ kind, address, set, picks }) => {
    const own = PREFIXES[set.family].filter((p) => set.interval || p.length === 32);
    const chosen = [...new Set(picks.map((i) => own[i % own.length]!))];
    return { kind, address: { ...address, set: set.name }, interval: set.interval, elements: columns(set.family, chosen) };
  });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 12, arbitrary: elements },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('add-set' as const), address: table, set: fc.constantFrom(...SETS) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('put-table' as const), address: table, comment: fc.constant('c'), owned: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete-table' as const), address: table }) },
  {
    weight: 1,
    arbitrary: fc
      .record({ address: table, set: fc.constantFrom(...SETS) })
      .map(({ address, set }): Operation => ({ kind: 'delete-set', address: { ...address, set: set.name } })),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ address: table, name: chain })
      .map(({ address, name }): Operation => ({ kind: 'add-chain', address, name, hook: name === 'base' ? 'input' : undefined })),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete-chain' as const), address: table, name: chain }) },
  {
    weight: 2,
    arbitrary: fc.record({ address: table, chain, what: fc.constantFrom('nets4', 'hosts4', 'jump') }).map(
      ({ address, chain, what }): Operation => ({
        kind: 'add-rule',
        address,
        chain,
        before: undefined,
        rule: {
          name: what,
          fingerprint: '0',
          sets: [],
          expressions:
            what === 'jump'
              ? [{ kind: 'immediate', dreg: 0, data: { kind: 'verdict', verdict: { kind: 'jump', chain: 'own' } } }]
              : [
                  { kind: 'payload', base: 'network', offset: 16, length: 4, dreg: 1 },
                  { kind: 'lookup', set: what, sreg: 1 },
                ],
        },
      }),
    ),
  },
);
/** Two processes commit in turn; the second may end and come again. */
const script = fc.array(
  fc.record({ process: fc.nat({ max: 1 }), operations: fc.array(operation, { minLength: 1, maxLength: 4 }), ends: fc.boolean() }),
  {
    maxLength: 10,
  },
);

/** What a test compares: what happened, and of what was refused the first thing. The kernel also numbers the expressions of a rule. */
function told(outcome: Outcome, operations: readonly Operation[]): unknown {
  if (outcome.kind !== 'refused') return outcome.kind;
  const [first] = outcome.refusals;
  const refused = operations[first?.operation ?? -1];
  return [first?.operation, refused && 'elements' in refused ? first?.element : undefined, first?.code];
}

function shown(backend: KernelBackend): unknown {
  return TABLES.map((address) => {
    const found = backend.readTable(address);
    if (!found) return undefined;
    return {
      owner: found.owner,
      persist: found.persist,
      ours: found.ours,
      sets: found.sets
        .map((set) => [set.set, rangesOfColumns(backend.readElements(set).ranges).map(elementKey).sort()] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
      chains: found.chains.map((c) => [c.name, c.hook, c.rules.map((rule) => rule.name)]).sort(),
    };
  });
}

let lab: Lab;
let host: Host;

beforeAll(async () => {
  lab = new Lab();
  host = await lab.host('fake');
});
afterAll(() => lab.dispose());

const seed = Number(process.env['WEIR_SEED'] ?? Math.floor(Math.random() * 0x7fffffff));

describe('the kernel in memory is as the kernel', () => {
  it(`random scripts of two processes: the same outcomes, the same objects and elements (seed ${seed})`, async () => {
    const run = async (steps: typeof script extends fc.Arbitrary<infer T> ? T : never): Promise<void> => {
      await host.nft('flush ruleset');
      const kernel = new FakeKernel({ ownership: true });
      const open = (): [KernelBackend, KernelBackend] => [new NftBackend({ netns: host.path, ownership: true }), kernel.open()];
      const pairs = [open(), open()];
      try {
        for (const { process, operations, ends } of steps) {
          const [real, fake] = pairs[process]!;
          expect({ operations, outcome: told(fake.commit(operations), operations) }).toEqual({
            operations,
            outcome: told(real.commit(operations), operations),
          });
          expect(shown(fake)).toEqual(shown(real));
          if (!ends) continue;
          real.close();
          fake.close();
          pairs[process] = open();
        }
      } finally {
        for (const [real, fake] of pairs) {
          real.close();
          fake.close();
        }
      }
    };
    await fc.assert(fc.asyncProperty(script, run), { seed, numRuns: 300 });
  }, 120_000);

  it('notifications of another process are the same', async () => {
    await host.nft('flush ruleset');
    const kernel = new FakeKernel({ ownership: true });
    const set: SetAddress = { family: 'inet', table: 'a', set: 'nets4' };
    const steps: readonly Operation[][] = [
      [
        { kind: 'put-table', address: TABLES[0], comment: 'c', owned: false },
        { kind: 'add-set', address: TABLES[0], set: SETS[0] },
      ],
      [{ kind: 'add-elements', address: set, interval: true, elements: columns(4, PREFIXES[4].slice(1, 3)) }],
      [{ kind: 'delete-elements', address: set, interval: true, elements: columns(4, PREFIXES[4].slice(1, 2)) }],
      [{ kind: 'delete-table', address: TABLES[0] }],
    ];
    const heard = (open: () => KernelBackend): unknown => {
      const watching = open();
      const acting = open();
      const found = steps.map((operations) => {
        watching.readSet(set);
        expect(acting.commit(operations)).toEqual({ kind: 'committed' });
        const changes: string[] = [];
        watching.readSet(set);
        expect(
          watching.poll((commit) => {
            for (const change of commit.changes) {
              const ranges = change.kind === 'elements' ? rangesOfColumns(change.ranges).map(elementKey) : [''];
              const name = 'set' in change.address ? change.address.set : change.address.table;
              for (const range of ranges) changes.push(`${change.kind} ${name} ${'present' in change ? change.present : ''} ${range}`);
            }
          }),
        ).toBe('current');
        return changes.sort();
      });
      watching.close();
      acting.close();
      return found;
    };
    const real = heard(() => new NftBackend({ netns: host.path, ownership: true }));
    expect(heard(() => kernel.open())).toEqual(real);
  });
});
