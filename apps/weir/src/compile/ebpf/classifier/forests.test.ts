import { type Expr, interval, ipSet, rangeSet, packetExpr as x } from '@weir/filter/ir';
import { ip4 } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import { testRule } from '../../test-rule.ts';
import { buildClassifier } from './build.ts';

const address = (i: number): Expr => x.ip('ip.src', ipSet([{ first: ip4(0x0a00_0000 + i * 16), last: ip4(0x0a00_0000 + i * 16 + 15) }]));
const port = (first: number, last = first): Expr => x.int('tcp.dstport', interval(first, last));
const every = (count: number, step: number, make: (i: number) => Expr): readonly Expr[] =>
  Array.from({ length: count }, (_, i) => make(i * step));
const addresses = (count: number): Expr =>
  x.ip('ip.src', ipSet(Array.from({ length: count }, (_, i) => ({ first: ip4(0x0a00_0000 + i * 512), last: ip4(0x0a00_0000 + i * 512) }))));
const ports = (first: number, count: number): Expr =>
  x.int('tcp.dstport', rangeSet(Array.from({ length: count }, (_, i) => ({ first: first + i * 4, last: first + i * 4 }))));

describe('which tables a list becomes', () => {
  test.each([
    { name: 'rules that lie apart', rules: every(500, 1, (i) => x.and([address(i), port(i)])), kind: 'trees' },
    { name: 'some flags', rules: every(100, 1, (i) => x.and([port(i), x.bits('tcp.flags', 1 + (i % 3))])), kind: 'trees' },
    {
      name: 'long lists of addresses and of ports in one rule',
      rules: every(40, 1, (i) => x.and([addresses(50), ports(i * 100, 20)])),
      kind: 'vectors',
    },
    {
      name: 'ranges one in the other, which no cut tells apart',
      rules: every(600, 1, (i) => port(i, 60_000 - i)),
      kind: 'vectors',
    },
  ])('$name: $kind', ({ rules, kind }) => {
    const made = buildClassifier(
      rules.map((one, i) => testRule(`r${i}`, one)),
      { leastUses: 1 },
    );
    expect(made?.tables.kind).toBe(kind);
  });

  test('records of a list that lies apart are about as many as rules', () => {
    const tables = buildClassifier(every(2000, 1, (i) => x.and([address(i), port(i)])).map((one, i) => testRule(`r${i}`, one)))?.tables;
    if (tables?.kind !== 'trees') throw new Error('no trees');
    expect(tables.records.length / (tables.layout.words * 16)).toBeLessThan(2200);
    expect(tables.longest).toBeLessThanOrEqual(3);
  });
});
