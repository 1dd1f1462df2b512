import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareIp, type Ip, ip, ip4, ip6, printIp } from './ip.ts';
import { lastIp, printPrefix } from './prefix.ts';
import { nextIp, previousIp, rangeAsPrefix, rangePrefixes } from './range.ts';

const u32 = fc.oneof(fc.constantFrom(0, 1, 0xffffffff, 0xfffffffe, 0x80000000), fc.integer({ min: 0, max: 0xffffffff }));
const address = fc.oneof(
  u32.map((w) => ip4(w)),
  fc.tuple(u32, u32, u32, u32).map((w) => ip6(...w)),
);

describe('rangePrefixes', () => {
  test.each([
    { first: '192.0.2.0', last: '192.0.2.255', want: ['192.0.2.0/24'] },
    { first: '192.0.2.1', last: '192.0.2.4', want: ['192.0.2.1/32', '192.0.2.2/31', '192.0.2.4/32'] },
    { first: '0.0.0.0', last: '255.255.255.255', want: ['0.0.0.0/0'] },
    { first: '2001:db8::', last: '2001:db8::2', want: ['2001:db8::/127', '2001:db8::2/128'] },
    { first: '::', last: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', want: ['::/0'] },
  ])('$first to $last', ({ first, last, want }) => {
    expect(rangePrefixes(ip(first), ip(last)).map(printPrefix)).toEqual(want);
  });

  test('the worst ranges', () => {
    expect(rangePrefixes(ip4(1), ip4(0xfffffffe))).toHaveLength(62);
    expect(rangePrefixes(ip6(0, 0, 0, 1), ip6(0xffffffff, 0xffffffff, 0xffffffff, 0xfffffffe))).toHaveLength(254);
  });

  test('is a partition of the range, without a pair that could be one', () => {
    fc.assert(
      fc.property(fc.tuple(address, address), ([a, b]) => {
        fc.pre(a.family === b.family);
        const [first, last] = compareIp(a, b) <= 0 ? [a, b] : [b, a];
        const parts = rangePrefixes(first, last);
        let at: Ip = first;
        for (const [i, part] of parts.entries()) {
          expect(printIp(part)).toBe(printIp(at));
          at = nextIp(lastIp(part));
          const before = parts[i - 1];
          if (before) expect(rangeAsPrefix(before, lastIp(part))).toBeUndefined();
        }
        expect(printIp(previousIp(at))).toBe(printIp(last));
        expect(rangeAsPrefix(first, last) !== undefined).toBe(parts.length === 1);
      }),
    );
  });

  test('no range', () => {
    expect(() => rangePrefixes(ip4(2), ip4(1))).toThrow(RangeError);
    expect(() => rangePrefixes(ip4(2), ip6(0, 0, 0, 3))).toThrow(RangeError);
  });
});

test('next and previous are inverse', () => {
  fc.assert(
    fc.property(address, (a) => {
      expect(printIp(previousIp(nextIp(a)))).toBe(printIp(a));
    }),
  );
  expect(printIp(nextIp(ip6(0, 0, 0xffffffff, 0xffffffff)))).toBe('0:0:0:1::');
  expect(printIp(previousIp(ip4(0)))).toBe('255.255.255.255');
});
