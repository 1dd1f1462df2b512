import { interval, packetExpr as x } from '@weir/filter/ir';
import { expect, test } from 'vitest';
import { testRule } from '../../test-rule.ts';
import { buildClassifier, ClassifierMemo } from './build.ts';

const rules = (changed: number) =>
  Array.from({ length: 40 }, (_, i) => {
    const port = i === changed ? 60_000 : i;
    return testRule(`r${i}`, x.and([x.int('tcp.dstport', interval(port, port)), x.int('ip.ttl', interval(i, 255))]));
  });

test('tables that stay the same are the same objects, whoever made the rules; others are as if there had been nothing before', () => {
  const memo = new ClassifierMemo();
  const options = { leastUses: 1, memo };
  const tablesOf = (changed: number, from: typeof options | { leastUses: number }) =>
    new Map(buildClassifier(rules(changed), from)?.dimensions.map((tables) => [tables.dimension.name, tables]));
  const [before, same, after] = [tablesOf(-1, options), tablesOf(-1, options), tablesOf(7, options)];
  expect([...same].map(([name, tables]) => tables === before.get(name))).toEqual([true, true, true]);
  expect([...after].filter(([name, tables]) => tables !== before.get(name)).map(([name]) => name)).toEqual(['destination port']);
  expect(after).toEqual(tablesOf(7, { leastUses: 1 }));
});
