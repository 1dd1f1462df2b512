import { equalPrefix, ip4, parsePrefix, printPrefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RangeSet } from './expr.ts';
import { canonicalInt, MAX_INT, MIN_INT, nextInt, previousInt } from './int.ts';
import {
  ALL_IPS,
  complementIpSet,
  containsIp,
  EMPTY_IP_SET,
  intToIp,
  ipRanges,
  ipSet,
  ipSetOfPrefixes,
  ipSetPrefixes,
  ipToInt,
  uncutIpSet,
} from './ip-set.ts';
import {
  clampSet,
  complementSet,
  containsInt,
  countMembers,
  equalSets,
  includesSet,
  intersectSets,
  interval,
  intSet,
  oddSets,
  onlyMember,
  overlapsSet,
  rangeSet,
  subtractSet,
  unionSets,
} from './range-set.ts';

/** Where values are small, and around the ends of what a number holds exactly. */
const BASES: readonly bigint[] = [0n, BigInt(Number.MAX_SAFE_INTEGER) - 8n, BigInt(Number.MIN_SAFE_INTEGER) - 8n, (1n << 127n) - 8n];
const SIZE = 16;

const base = fc.constantFrom(...BASES);
const members = fc.array(fc.boolean(), { minLength: SIZE, maxLength: SIZE });

function setOf(from: bigint, has: readonly boolean[]): RangeSet {
  return rangeSet(has.flatMap((yes, i) => (yes ? [{ first: from + BigInt(i), last: from + BigInt(i) }] : [])));
}

function membersOf(from: bigint, set: RangeSet): boolean[] {
  return Array.from({ length: SIZE }, (_, i) => containsInt(set, canonicalInt(from + BigInt(i))));
}

function isCanonical(set: RangeSet): boolean {
  return set.every((range, i) => {
    const before = set[i - 1];
    const exact = [range.first, range.last].every((v) => canonicalInt(v) === v);
    return exact && range.first <= range.last && (before === undefined || range.first > nextInt(before.last));
  });
}

describe('sets of ranges', () => {
  it('are their members', () => {
    fc.assert(
      fc.property(base, members, (from, has) => {
        const set = setOf(from, has);
        expect(isCanonical(set)).toBe(true);
        expect(membersOf(from, set)).toEqual(has);
        expect(countMembers(set)).toBe(has.filter(Boolean).length);
      }),
    );
  });

  it('make what overlaps and touches one', () => {
    const some = fc.array(fc.tuple(fc.nat(SIZE - 1), fc.nat(SIZE - 1)), { maxLength: 6 });
    fc.assert(
      fc.property(base, some, (from, pairs) => {
        const ranges = pairs.map(([a, b]) => ({ first: from + BigInt(Math.min(a, b)), last: from + BigInt(Math.max(a, b)) }));
        const set = rangeSet(ranges);
        expect(isCanonical(set)).toBe(true);
        const want = Array.from({ length: SIZE }, (_, i) => ranges.some((r) => r.first <= from + BigInt(i) && from + BigInt(i) <= r.last));
        expect(membersOf(from, set)).toEqual(want);
      }),
    );
  });

  it('have the algebra of sets', () => {
    fc.assert(
      fc.property(base, fc.array(members, { minLength: 1, maxLength: 4 }), (from, all) => {
        const sets = all.map((has) => setOf(from, has));
        const [a = [], b = a] = sets;
        const [hasA = [], hasB = hasA] = all;
        const each = (f: (i: number) => boolean): boolean[] => Array.from({ length: SIZE }, (_, i) => f(i));
        const results: [RangeSet, boolean[]][] = [
          [unionSets(sets), each((i) => all.some((has) => has[i]))],
          [intersectSets(sets), each((i) => all.every((has) => has[i]))],
          [oddSets(sets), each((i) => all.filter((has) => has[i]).length % 2 === 1)],
          [subtractSet(a, b), each((i) => hasA[i] === true && !hasB[i])],
          [complementSet(a, from, from + BigInt(SIZE - 1)), each((i) => !hasA[i])],
          [clampSet(a, from + 3n, from + 9n), each((i) => hasA[i] === true && i >= 3 && i <= 9)],
        ];
        for (const [set, want] of results) {
          expect(isCanonical(set)).toBe(true);
          expect(membersOf(from, set)).toEqual(want);
        }
        expect(includesSet(a, b)).toBe(hasB.every((yes, i) => !yes || hasA[i]));
        expect(overlapsSet(a, b)).toBe(hasB.some((yes, i) => yes && hasA[i]));
        expect(equalSets(a, b)).toBe(hasB.every((yes, i) => yes === hasA[i]));
      }),
      { numRuns: 500 },
    );
  });

  it('obey the laws of complement', () => {
    fc.assert(
      fc.property(base, members, members, (from, one, two) => {
        const [min, max] = [canonicalInt(from), canonicalInt(from + BigInt(SIZE - 1))];
        const not = (set: RangeSet): RangeSet => complementSet(set, min, max);
        const [a, b] = [setOf(from, one), setOf(from, two)];
        expect(not(not(a))).toEqual(a);
        expect(not(unionSets([a, b]))).toEqual(intersectSets([not(a), not(b)]));
        expect(unionSets([a, not(a)])).toEqual(interval(min, max));
        expect(intersectSets([a, not(a)])).toEqual([]);
        expect(subtractSet(a, b)).toEqual(intersectSets([a, not(b)]));
      }),
    );
  });

  it.each([
    {
      name: 'the least and the greatest',
      input: complementSet(intSet(0), MIN_INT, MAX_INT),
      want: [
        { first: MIN_INT, last: -1 },
        { first: 1, last: MAX_INT },
      ],
    },
    { name: 'a bigint that is safe', input: rangeSet([{ first: 3n, last: 5n }]), want: [{ first: 3, last: 5 }] },
    {
      name: 'both kinds that touch',
      input: rangeSet([
        { first: 2n ** 53n, last: 2n ** 53n },
        { first: 5, last: Number.MAX_SAFE_INTEGER },
      ]),
      want: [{ first: 5, last: 2n ** 53n }],
    },
    { name: 'nothing between', input: interval(5, 4), want: [] },
  ])('$name', ({ input, want }) => {
    expect(input).toEqual(want);
  });

  it('refuses a range that ends before it begins', () => {
    expect(() => rangeSet([{ first: 2, last: 1 }])).toThrow(RangeError);
  });

  it('steps over the end of safe integers', () => {
    expect(nextInt(Number.MAX_SAFE_INTEGER)).toBe(2n ** 53n);
    expect(previousInt(2n ** 53n)).toBe(Number.MAX_SAFE_INTEGER);
    expect(previousInt(Number.MIN_SAFE_INTEGER)).toBe(-(2n ** 53n));
  });

  it('onlyMember', () => {
    expect([onlyMember(intSet(7)), onlyMember(intSet(7, 8)), onlyMember([])]).toEqual([7, undefined, undefined]);
  });
});

const word = fc.integer({ min: 0, max: 0xffffffff });
const address = fc.oneof(
  word.map(ip4),
  fc.tuple(word, word, word, word).map(([w0, w1, w2, w3]) => ({ family: 6 as const, w0, w1, w2, w3 })),
  fc.nat(3).map((w3) => ({ family: 6 as const, w0: 0, w1: 0, w2: 0x1fffff, w3: 0xfffffffc + w3 })),
);
const prefixes = fc.array(
  fc.tuple(fc.constantFrom('192.0.2.', '198.51.100.'), fc.nat(255), fc.integer({ min: 24, max: 32 })).map(([net, host, length]) => {
    const result = parsePrefix(`${net}${host}/${length}`);
    return result.ok ? result.prefix : result.error.kind === 'host-bits' ? result.error.masked : undefined;
  }),
  { maxLength: 8 },
);

describe('sets of addresses', () => {
  it('addresses are integers and come back', () => {
    fc.assert(
      fc.property(address, (ip) => {
        const int = ipToInt(ip);
        expect(canonicalInt(int)).toBe(int);
        expect(intToIp(int, ip.family)).toEqual(ip);
      }),
    );
  });

  it('prefixes in, fewest prefixes out', () => {
    fc.assert(
      fc.property(prefixes, (input) => {
        const given = input.filter((p) => p !== undefined);
        const set = ipSetOfPrefixes(given);
        const out = ipSetPrefixes(set);
        expect(ipSetOfPrefixes(out)).toEqual(set);
        expect(out.length).toBeLessThanOrEqual(given.length);
        for (const p of given) expect(containsIp(set, p)).toBe(true);
        // No two of them are halves of one.
        for (const [i, p] of out.entries()) {
          for (const q of out.slice(i + 1)) {
            if (p.length !== q.length || p.length === 0) continue;
            const cover = parsePrefix(`${printPrefix(p).split('/')[0]}/${p.length - 1}`);
            const other = parsePrefix(`${printPrefix(q).split('/')[0]}/${q.length - 1}`);
            if (cover.ok && !other.ok && other.error.kind === 'host-bits')
              expect(equalPrefix(cover.prefix, other.error.masked)).toBe(false);
          }
        }
      }),
    );
  });

  it('families do not mix', () => {
    const set = ipSet([{ first: ip4(1) }]);
    expect(containsIp(set, { family: 6, w0: 0, w1: 0, w2: 0, w3: 1 })).toBe(false);
    expect(complementIpSet(EMPTY_IP_SET)).toEqual(ALL_IPS);
    expect(containsIp(complementIpSet(set), { family: 6, w0: 0, w1: 0, w2: 0, w3: 1 })).toBe(true);
    expect(ipRanges(set)).toEqual([{ first: ip4(1), last: ip4(1) }]);
  });

  it('cidr brings whole blocks into a set', () => {
    fc.assert(
      fc.property(fc.nat(63), fc.nat(63), fc.integer({ min: 26, max: 32 }), (a, b, bits) => {
        const set = ipSet([{ first: ip4(Math.min(a, b)), last: ip4(Math.max(a, b)) }]);
        const uncut = uncutIpSet(set, bits, 0);
        const size = 2 ** (32 - bits);
        for (let i = 0; i < 64; i++) expect(containsIp(uncut, ip4(i))).toBe(containsIp(set, ip4(i - (i % size))));
      }),
    );
  });
});
