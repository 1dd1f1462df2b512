import { ipSet, rangeSet, packetExpr as x } from '@weir/filter/ir';
import { ip4 } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TableImage } from '../compile/nft/image.ts';
import { compileRules } from '../compile/nft/policy/index.ts';
import { testRule } from '../compile/test-rule.ts';
import type { KernelBackend, Operation } from '../kernel/backend.ts';
import { FakeKernel } from '../kernel/fake/index.ts';
import type { Action, Rule } from '../model/rule.ts';
import { planTable } from './owned-table.ts';

const address = { family: 'inet', table: 'weir' } as const;

function hostRule(host: number, kind: number): Rule {
  const source = x.ip('ip.src', ipSet([{ first: ip4(0xc0000200 + host) }]));
  const port = x.int('tcp.dstport', rangeSet([{ first: host, last: host + kind }]));
  const limit: Action = { kind: 'rate-limit', limit: { unit: 'packets', rate: 1 + kind, burst: 5, per: 'source' } };
  const actions: readonly Action[] = [{ kind: 'allow' }, { kind: 'deny' }, limit];
  return testRule(`h${host}`, kind === 3 ? x.and([x.not(port), source]) : x.and([source, port]), actions[kind] ?? { kind: 'deny' });
}

function image(hosts: readonly (readonly [number, number])[]): TableImage {
  const rules = [...hosts.map(([host, kind]) => hostRule(host, kind)), testRule('default', x.constant(true), { kind: 'deny' })];
  const { table, problems } = compileRules([{ hook: 'input', priority: 0, rules }], [], { table: 'weir' });
  expect(problems).toEqual([]);
  return table;
}

function operationsTo(backend: KernelBackend, wanted: TableImage): readonly Operation[] {
  const plan = planTable(address, wanted, backend.readTable(address), true, (set) => backend.readMap({ ...address, set }));
  return [...plan.prepare, ...plan.enforce];
}

/** Everything in a table but the kernel's own numbers. */
function content(kernel: FakeKernel): unknown {
  const table = kernel.ruleset.table(address);
  return {
    sets: [...(table?.meters.keys() ?? []), ...(table?.sets.keys() ?? [])].sort(),
    maps: [...(table?.maps.values() ?? [])]
      .map(({ name, entries }) => [name, [...entries.keys()].sort(), [...entries.values()].map((e) => e.verdict.chain).sort()])
      .sort(),
    chains: [...(table?.chains.values() ?? [])]
      .map(({ name, hook, priority, rules }) => [name, hook, priority, rules.map((r) => [r.name, r.fingerprint])])
      .sort(),
  };
}

const lists = fc.uniqueArray(fc.tuple(fc.nat(200), fc.nat(3)), { selector: ([host]) => host, maxLength: 120 });

describe('a table that Weir owns', () => {
  it('becomes any other by difference, in one transaction that the kernel takes, and is then as if made anew', () => {
    fc.assert(
      fc.property(fc.array(lists, { minLength: 2, maxLength: 4 }), (steps) => {
        const kernel = new FakeKernel({ ownership: true });
        const backend = kernel.open();
        for (const step of steps) {
          const wanted = image(step);
          expect(backend.commit(operationsTo(backend, wanted))).toEqual({ kind: 'committed' });
          const fresh = new FakeKernel({ ownership: true });
          const other = fresh.open();
          expect(other.commit(operationsTo(other, wanted))).toEqual({ kind: 'committed' });
          expect(content(kernel)).toEqual(content(fresh));
          expect(operationsTo(backend, wanted)).toEqual([]);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('changes little for one rule of many', () => {
    const kernel = new FakeKernel({ ownership: true });
    const backend = kernel.open();
    const hosts = Array.from({ length: 200 }, (_, i) => [i, i % 2] as const);
    backend.commit(operationsTo(backend, image(hosts)));
    const operations = operationsTo(backend, image(hosts.filter(([host]) => host !== 100)));
    expect(operations.length).toBeGreaterThan(0);
    expect(operations.length).toBeLessThan(40);
    expect(operations.some((one) => one.kind === 'delete-table')).toBe(false);
  });

  it('an element of a map that another process took away comes back', () => {
    const kernel = new FakeKernel({ ownership: false });
    const backend = kernel.open();
    const wanted = image(Array.from({ length: 200 }, (_, i) => [i, 0] as const));
    const plan = (): readonly Operation[] => {
      const { prepare, enforce } = planTable(address, wanted, backend.readTable(address), false, (set) =>
        backend.readMap({ ...address, set }),
      );
      return [...prepare, ...enforce];
    };
    backend.commit(plan());
    const [map] = wanted.lookups ?? [];
    const entries = backend.readMap({ ...address, set: map?.name ?? '' });
    expect(
      kernel.foreign([
        { kind: 'delete-entries', address: { ...address, set: map?.name ?? '' }, layout: 'values', entries: entries.slice(0, 1) },
      ]),
    ).toBe(true);
    expect(plan()).toEqual([
      { kind: 'add-entries', address: { ...address, set: map?.name }, layout: 'values', entries: entries.slice(0, 1) },
    ]);
  });
});
