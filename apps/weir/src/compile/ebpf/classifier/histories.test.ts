import { type Expr, interval, ipSet, packetExpr as x } from '@weir/filter/ir';
import { ip4, ip6 } from '@weir/wire/inet';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KINDS, type Kind, makeFiveTuples, toHookRules } from '../../../../../../test/rules/five-tuples.ts';
import type { Rule } from '../../../model/rule.ts';
import { testRule } from '../../test-rule.ts';
import { buildClassifier, type Classifier, ClassifierMemo, prepareClassifier } from './build.ts';
import type { Forests } from './forests.ts';

/** So many rules that trees are in several parts; and rules of several cases, of IPv6, for anything, of renamed values, and of code. */
function pool(kind: Kind): readonly Rule[] {
  const network6 = (i: number): Expr =>
    x.ip('ip.dst', ipSet([{ first: ip6(0x2001_0db8, i % 7, 0, 0), last: ip6(0x2001_0db8, i % 7, 0xffff_ffff, i) }]));
  const port = (i: number): Expr => x.int('udp.dstport', interval(i * 3, i * 3 + (i % 5)));
  const source = (i: number): Expr => x.ip('ip.src', ipSet([{ first: ip4(0x0a00_0000 + i * 1000) }]));
  const odd = Array.from({ length: 80 }, (_, i): Expr => {
    const all = [
      network6(i),
      x.and([network6(i), port(i)]),
      x.bits('tcp.flags', 1 + (i % 9)),
      x.or([source(i), port(i)]),
      x.not(source(i)),
      x.and([source(i), x.flag('ct.established')]),
      x.int('ip.ttl', interval(i, 255)),
    ];
    return all[i % all.length] ?? network6(i);
  });
  return [...toHookRules(makeFiveTuples(kind, 900, 3)).rules, ...odd.map((one, i) => testRule(`odd ${i}`, one))];
}

const POOLS = new Map(KINDS.map((kind) => [kind, pool(kind)]));

const edit = fc.oneof(
  fc.record({ at: fc.nat(1000), without: fc.nat(2), added: fc.array(fc.nat(979), { maxLength: 2 }) }),
  // Moves: out of one place, into another.
  fc.record({ at: fc.nat(1000), without: fc.constant(1), added: fc.constant([]), to: fc.nat(1000) }),
);

function withEdit<T>(
  list: readonly T[],
  from: readonly T[],
  { at, without, added, to }: { to?: number } & (typeof edit extends fc.Arbitrary<infer E> ? E : never),
): readonly T[] {
  const out = [...list];
  const place = Math.min(at, out.length);
  const removed = out.splice(place, without, ...added.flatMap((i) => from[i] ?? []));
  if (to !== undefined) out.splice(Math.min(to, out.length), 0, ...removed);
  return out;
}

/** What a classifier comes to, but for which objects it is made of. */
function described(classifier: Classifier | undefined): unknown {
  if (!classifier) return undefined;
  const { tables, plan } = classifier;
  if (tables.kind !== 'trees') return tables.kind;
  const { forests, depths, longest, layout, addresses } = tables;
  return { forests, depths, longest, layout, addresses, entries: plan.entries.length };
}

function octetsOf({ nodes, records }: Forests): readonly Uint8Array[] {
  return [nodes, records];
}

test.each(KINDS)('after a history of changes the tables are those that are made of nothing (%s)', (kind) => {
  const rules = POOLS.get(kind) ?? [];
  fc.assert(
    fc.property(
      fc.shuffledSubarray([...rules], { minLength: 300 }),
      fc.array(edit, { minLength: 1, maxLength: 6 }),
      fc.constantFrom(1, 30),
      (first, edits, leastUses) => {
        const memo = new ClassifierMemo();
        let now: readonly Rule[] = first;
        for (const one of [undefined, ...edits]) {
          if (one) now = withEdit(now, rules, one);
          // Some are prepared, and sometimes that is broken off.
          const steps = prepareClassifier(now, { leastUses, memo });
          for (let i = 0; now.length % 3 === 0 && i < now.length % 20; i++) steps.next();
          const after = buildClassifier(now, { leastUses, memo });
          const fresh = buildClassifier(now, { leastUses });
          expect(described(after)).toEqual(described(fresh));
          if (after?.tables.kind !== 'trees' || fresh?.tables.kind !== 'trees') continue;
          const [a, b] = [octetsOf(after.tables), octetsOf(fresh.tables)];
          expect(a.map((octets, i) => Buffer.compare(octets, b[i] ?? octets))).toEqual([0, 0]);
        }
      },
    ),
    { numRuns: 6, endOnFailure: true },
  );
});

test('a change of one rule writes few parts anew', () => {
  const rules = POOLS.get('acl')?.slice(0, 900) ?? [];
  const memo = new ClassifierMemo();
  buildClassifier(rules, { memo });
  const before = memo.parts();
  buildClassifier(rules.toSpliced(450, 1), { memo });
  const after = memo.parts();
  const made = [...after].filter((part) => !before.has(part)).length;
  expect(before.size).toBeGreaterThan(10);
  expect(made).toBeLessThan(after.size / 4);
});
