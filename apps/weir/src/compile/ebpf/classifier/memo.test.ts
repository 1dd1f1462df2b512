import { interval, packetExpr as x } from '@weir/filter/ir';
import { expect, test } from 'vitest';
import { testRule } from '../../test-rule.ts';
import { type BuildOptions, buildClassifier, ClassifierMemo } from './build.ts';

const rules = (changed: number) =>
  Array.from({ length: 40 }, (_, i) => {
    const port = i === changed ? 60_000 : i;
    return testRule(`r${i}`, x.and([x.int('tcp.dstport', interval(port, port)), x.int('ip.ttl', interval(i, 255))]));
  });

function tablesOf(changed: number, options: BuildOptions) {
  const tables = buildClassifier(rules(changed), { leastUses: 1, ...options })?.tables;
  if (!tables) throw new Error('no classifier');
  return tables;
}

function vectorsOf(changed: number, options: BuildOptions) {
  const tables = tablesOf(changed, { ...options, form: 'vectors' });
  if (tables.kind !== 'vectors') throw new Error(tables.kind);
  return new Map(tables.dimensions.map((one) => [one.dimension.name, one]));
}

test('vectors that stay the same are the same objects, whoever made the rules; others are as if there had been nothing before', () => {
  const memo = new ClassifierMemo();
  const [before, same, after] = [vectorsOf(-1, { memo }), vectorsOf(-1, { memo }), vectorsOf(7, { memo })];
  expect([...same].map(([name, tables]) => tables === before.get(name))).toEqual([true, true, true]);
  expect([...after].filter(([name, tables]) => tables !== before.get(name)).map(([name]) => name)).toEqual(['destination port']);
  expect(after).toEqual(vectorsOf(7, {}));
});

test('so are trees, all of them together', () => {
  const memo = new ClassifierMemo();
  const [before, same, after] = [tablesOf(-1, { memo }), tablesOf(-1, { memo }), tablesOf(7, { memo })];
  expect([before.kind, same === before, after === before]).toEqual(['trees', true, false]);
  expect(after).toEqual(tablesOf(7, {}));
});
