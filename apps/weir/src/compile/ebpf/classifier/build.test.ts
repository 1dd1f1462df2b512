import { containsInt, type Expr, ipSet, rangeSet, packetExpr as x } from '@weir/filter/ir';
import { ip4, ip6 } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KINDS, makeFiveTuples, makeTrace, toHookRules } from '../../../../../../test/rules/five-tuples.ts';
import { testRule } from '../../test-rule.ts';
import { buildClassifier, type Classifier } from './build.ts';
import type { Region } from './dimension.ts';
import { positionsOf, type Values } from './model.ts';

const LAST6 = 0xffff_ffff;

/** Edges of ranges come from few values, so that they meet. */
const word = fc.oneof(
  fc.constantFrom(0, 1, 2, 255, 256, 0x0a00_0000, 0x0aff_ffff, 0x7fff_ffff, 0x8000_0000, LAST6 - 1, LAST6),
  fc.integer({ min: 0, max: LAST6 }),
);
const near = fc.oneof(fc.constantFrom(0, LAST6), word);

const address = fc.oneof(
  word.map((w) => ip4(w)),
  fc.tuple(fc.constantFrom(0x2001_0db8, 0, LAST6), near, near, near).map(([a, b, c, d]) => ip6(a, b, c, d)),
);

const addresses = fc.array(fc.tuple(address, fc.option(address, { nil: undefined })), { minLength: 1, maxLength: 3 }).map((pairs) =>
  ipSet(
    pairs.map(([first, last]) => {
      if (!last || last.family !== first.family) return { first };
      const order = [first, last].sort((a, b) => Number(BigInt(key(a)) - BigInt(key(b)) > 0n) * 2 - 1);
      return { first: order[0] ?? first, last: order[1] ?? first };
    }),
  ),
);

function key(ip: { family: 4 | 6; w0: number; w1?: number; w2?: number; w3?: number }): bigint {
  if (ip.family === 4) return BigInt(ip.w0);
  return [ip.w0, ip.w1 ?? 0, ip.w2 ?? 0, ip.w3 ?? 0].reduce((sum, w) => (sum << 32n) | BigInt(w), 0n);
}

const ports = fc
  .array(fc.tuple(fc.constantFrom(0, 1, 53, 80, 443, 1023, 1024, 65_535), fc.integer({ min: 0, max: 65_535 })), {
    minLength: 1,
    maxLength: 3,
  })
  .map((pairs) => rangeSet(pairs.map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }))));

const literal: fc.Arbitrary<Expr> = fc.oneof(
  fc.tuple(fc.constantFrom('ip.src', 'ip.dst'), addresses).map(([name, set]) => x.ip(name, set)),
  fc.tuple(fc.constantFrom('tcp.srcport', 'tcp.dstport', 'udp.dstport', 'sctp.dstport'), ports).map(([name, set]) => x.int(name, set)),
  fc
    .tuple(fc.constantFrom('ip.ttl', 'icmp.type'), fc.integer({ min: 0, max: 255 }))
    .map(([name, v]) => x.int(name, rangeSet([{ first: v, last: 255 }]))),
  fc.integer({ min: 1, max: 255 }).map((mask) => x.bits('tcp.flags', mask)),
  fc.constantFrom('tcp.flags.syn', 'ip.frag').map((name) => x.flag(name)),
);

const expression = fc
  .array(fc.tuple(literal, fc.boolean()), { minLength: 0, maxLength: 4 })
  .map((literals) => x.and(literals.map(([one, negated]) => (negated ? x.not(one) : one))));

/** What the plan says, position by position. */
function naive({ plan, positions }: Classifier, values: Values): readonly number[] {
  return plan.entries.flatMap(({ regions }, index) =>
    regions.every((region, place) => region === undefined || takes(region, values[place])) ? [positions[index] ?? -1] : [],
  );
}

function takes({ low, high, missing }: Region, value: Values[number]): boolean {
  if (value === undefined) return missing;
  if (typeof value === 'number') return containsInt(low, value);
  return containsInt(value.family === 4 ? low : high, value.value);
}

/** Values at, before and after the edges of what rules ask for. */
function edgesOf({ plan }: Classifier, place: number): readonly Values[number][] {
  const edges: Values[number][] = [undefined];
  const dimension = plan.dimensions[place];
  for (const { regions } of plan.entries) {
    const region = regions[place];
    for (const { first, last } of region?.low ?? []) {
      for (const value of [Number(first) - 1, Number(first), Number(last), Number(last) + 1]) {
        if (value < 0 || value > (dimension?.max ?? 0)) continue;
        edges.push(dimension?.kind === 'address' ? { family: 4, value: BigInt(value) } : value);
      }
    }
    for (const { first, last } of region?.high ?? []) {
      for (const value of [BigInt(first) - 1n, BigInt(first), BigInt(last), BigInt(last) + 1n])
        if (value >= 0n && value < 1n << 128n) edges.push({ family: 6, value });
    }
  }
  return edges;
}

/** A packet has both addresses of one family, the source alone, or none. */
function possible({ plan }: Classifier, values: Values): Values {
  const [source, destination] = ['ip.src', 'ip.dst'].map((name) => plan.dimensions.findIndex((one) => one.name === name)) as [
    number,
    number,
  ];
  if (source < 0 || destination < 0) return values;
  const [from, to] = [values[source], values[destination]];
  if (typeof from === 'object' && typeof to === 'object' && from.family !== to.family)
    return values.with(destination, { family: from.family, value: BigInt.asUintN(from.family === 4 ? 32 : 128, to.value) });
  return typeof from === 'object' ? values : values.with(destination, undefined);
}

describe('tables of a classifier', () => {
  test.each([
    { name: 'trees', form: 'trees' as const },
    { name: 'dense vectors', form: 'vectors' as const, mostDense: 1 << 30 },
    { name: 'packed vectors', form: 'vectors' as const, mostDense: 0 },
  ])('give what a look at each rule gives ($name)', ({ form, mostDense }) => {
    fc.assert(
      fc.property(fc.array(expression, { minLength: 1, maxLength: 150 }), fc.infiniteStream(fc.nat()), (expressions, picks) => {
        const rules = expressions.map((one, index) => testRule(`r${index}`, one));
        const classifier = buildClassifier(rules, { leastUses: 1, form, mostDense });
        if (!classifier) return;
        const edges = classifier.plan.dimensions.map((_, place) => edgesOf(classifier, place));
        for (let i = 0; i < 50; i++) {
          const values = possible(
            classifier,
            edges.map((all) => all[(picks.next().value ?? 0) % all.length]),
          );
          expect([...new Set(positionsOf(classifier, values))]).toEqual(naive(classifier, values));
        }
      }),
      { numRuns: 60 },
    );
  });

  test.each(KINDS)('give what a look at each rule gives where trees are in many parts (%s)', (kind) => {
    const { rules } = toHookRules(makeFiveTuples(kind, 1000, 5));
    const classifier = buildClassifier(rules);
    if (classifier?.tables.kind !== 'trees') throw new Error('no trees');
    const edges = classifier.plan.dimensions.map((_, place) => edgesOf(classifier, place));
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), (picks) => {
        for (let i = 0; i < 30; i++) {
          const values = possible(
            classifier,
            edges.map((all) => all[(picks.next().value ?? 0) % all.length]),
          );
          expect([...new Set(positionsOf(classifier, values))]).toEqual(naive(classifier, values));
        }
      }),
      { numRuns: 4 },
    );
    const { plan } = classifier;
    for (const { source, destination, protocol, sourcePort, destinationPort } of makeTrace(makeFiveTuples(kind, 1000, 5), 100, 9)) {
      const known: Readonly<Record<string, Values[number]>> = {
        'ip.src': { family: 4, value: BigInt(source) },
        'ip.dst': { family: 4, value: BigInt(destination) },
        'ip.proto.num': protocol,
        'source port': sourcePort,
        'destination port': destinationPort,
      };
      const values = plan.dimensions.map(({ name }) => known[name]);
      expect([...new Set(positionsOf(classifier, values))]).toEqual(naive(classifier, values));
    }
  });
});
