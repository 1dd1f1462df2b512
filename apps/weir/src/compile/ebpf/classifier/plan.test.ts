import { interval, ipSet, packetExpr as x } from '@weir/filter/ir';
import { ip4 } from '@weir/wire/inet';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Rule } from '../../../model/rule.ts';
import { testRule } from '../../test-rule.ts';
import { PlanMemo, planClassifier } from './plan.ts';

/** Rules of fields, of several cases, of code alone, and of both. */
const POOL: readonly Rule[] = Array.from({ length: 24 }, (_, i) => {
  const port = x.int('tcp.dstport', interval(i, i + 1));
  const source = x.ip('ip.src', ipSet([{ first: ip4(i * 256) }]));
  const code = x.flag(i % 2 === 0 ? 'ct.established' : 'ct.related');
  const expressions = [port, x.and([port, source]), x.or([port, source]), code, x.and([source, code]), x.int('ip.ttl', interval(i, 255))];
  return testRule(`r${i}`, expressions[i % expressions.length] ?? port, { kind: 'allow' });
});

const list = fc.array(fc.integer({ min: 0, max: POOL.length - 1 }), { maxLength: 30 });

/** A list, and another that is it with some of it replaced. */
const edit = fc.record({ at: fc.nat(30), without: fc.nat(4), added: fc.array(fc.nat(POOL.length - 1), { maxLength: 4 }) });

test('a plan after others is what it would be without them', () => {
  fc.assert(
    fc.property(list, fc.array(edit, { maxLength: 6 }), fc.constantFrom(1, 3, 6), (first, edits, leastUses) => {
      const memo = new PlanMemo();
      const now = [...first];
      for (const { at, without, added } of [{ at: 0, without: 0, added: [] }, ...edits]) {
        now.splice(Math.min(at, now.length), without, ...added);
        const rules = now.flatMap((number, i) => {
          const rule = POOL[number];
          return rule ? [{ ...rule, ref: `${i}` }] : [];
        });
        expect(planClassifier(rules, { leastUses }, memo)).toEqual(planClassifier(rules, { leastUses }));
      }
    }),
  );
});

test('rules that stay keep their regions where one is inserted, and their entries before it', () => {
  const memo = new PlanMemo();
  const rules = POOL.slice(0, 20);
  const before = planClassifier(rules, { leastUses: 1 }, memo);
  const after = planClassifier(
    [...rules.slice(0, 7), POOL[21] ?? rules[0] ?? POOL[0], ...rules.slice(7)].flatMap((rule) => rule ?? []),
    { leastUses: 1 },
    memo,
  );
  const place = before.starts[7] ?? 0;
  expect(after.entries.slice(0, place).every((entry, i) => entry === before.entries[i])).toBe(true);
  const added = after.entries.length - before.entries.length;
  expect(after.entries.slice(place + added).every(({ regions }, i) => regions === before.entries[place + i]?.regions)).toBe(true);
  expect(added).toBeGreaterThan(0);
});
