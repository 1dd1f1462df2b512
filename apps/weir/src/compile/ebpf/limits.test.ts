import { packetExpr as x } from '@weir/filter/ir';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RateLimit, Rule } from '../../model/rule.ts';
import { testRule } from '../test-rule.ts';
import {
  admission,
  LIMIT_ENTRIES,
  LIMIT_ENTRY,
  LIMIT_ROOM,
  LIMIT_SHARED,
  LIMITS,
  limitKey,
  limitKeys,
  limitNeeds,
  writeLimit,
} from './limits.ts';
import { bucketTimes, refillTime } from './limits-gcra.ts';

const limit = (more: Partial<RateLimit> = {}): RateLimit => ({ unit: 'packets', rate: 100, burst: 50, per: 'source', ...more });
const rule = (ref: string, more?: Partial<RateLimit>): Rule => testRule(ref, x.constant(true), { kind: 'rate-limit', limit: limit(more) });
const hook = (...rules: readonly Rule[]) => ({ hook: 'xdp', priority: 0, rules }) as const;

describe('the times of a bucket', () => {
  test.each([
    {
      input: limit(),
      want: { shift: 0, perPacket: 10_000_000n, perOctet: 0n, tolerance: 500_000_000n, horizon: 500_000_000n + (1n << 36n) },
    },
    { input: limit({ rate: 1, burst: 1 }), want: { shift: 0, perPacket: 1_000_000_000n, tolerance: 1_000_000_000n } },
    {
      input: limit({ unit: 'bytes', rate: 1_000_000_000, burst: 65_536 }),
      want: { shift: 10, perPacket: 0n, perOctet: 1024n, tolerance: 65_536n << 10n },
    },
    { input: limit({ unit: 'bytes', rate: 2 ** 40, burst: 0xffff_ffff }), want: { shift: 20, perOctet: 954n } },
  ])('$input.rate $input.unit', ({ input, want }) => {
    expect(bucketTimes(input)).toMatchObject(want);
  });

  test('keep the rate to 0.1 %, the burst, and 63 bits', () => {
    const limits = fc.record({
      rate: fc.integer({ min: 1, max: 2 ** 40 }),
      burst: fc.integer({ min: 1, max: 0xffff_ffff }),
      unit: fc.constantFrom('packets', 'bytes'),
    });
    fc.assert(
      fc.property(limits, (one) => {
        const { shift, perPacket, perOctet, tolerance, horizon } = bucketTimes(one);
        const cost = perPacket + perOctet;
        const rate = (1e9 * 2 ** shift) / Number(cost);
        expect(Math.abs(rate / one.rate - 1)).toBeLessThan(0.001);
        expect(tolerance / cost).toBe(BigInt(one.burst));
        expect(horizon).toBeGreaterThan(tolerance);
        expect(horizon).toBeLessThan(1n << 63n);
      }),
    );
  });

  test('an empty bucket is full again after burst / rate', () => {
    expect(refillTime(limit({ rate: 100, burst: 50 }))).toBe(500_000_000n);
    expect(refillTime(limit({ unit: 'bytes', rate: 1_000_000_000, burst: 1_000_000_000 }))).toBe(1_000_000_000n);
  });
});

describe('the maps of limits', () => {
  test('are those that the rules ask for', () => {
    expect(limitNeeds(hook(testRule('r', x.constant(true))))).toEqual([]);
    expect(limitNeeds(hook(rule('r', { per: 'rule' }))).map(({ symbol }) => symbol)).toEqual([LIMIT_SHARED]);
    expect(limitNeeds(hook(rule('r', { per: 'rule' }), rule('s'))).map(({ symbol }) => symbol)).toEqual([LIMIT_SHARED, LIMITS, LIMIT_ROOM]);
  });

  test('give away a quarter of the entries in the time of the slowest bucket', () => {
    expect(admission(hook(rule('r', { per: 'rule' })))).toBeUndefined();
    const quarter = BigInt(LIMIT_ENTRIES / 4);
    // Never faster than in a second.
    expect(admission(hook(rule('r')))).toEqual({ tolerance: 1_000_000_000n, cost: 1_000_000_000n / quarter + 1n });
    const slow = admission(hook(rule('r'), rule('s', { rate: 1, burst: 60 }), rule('t', { rate: 1, burst: 3600, per: 'rule' })));
    expect(slow).toEqual({ tolerance: 60_000_000_000n, cost: 60_000_000_000n / quarter + 1n });
  });

  test('go by the hook, the ref and all parameters', () => {
    const keys = [
      limitKey('xdp', 'r', limit()),
      limitKey('tc', 'r', limit()),
      limitKey('xdp', 's', limit()),
      limitKey('xdp', 'r', limit({ rate: 101 })),
      limitKey('xdp', 'r', limit({ burst: 51 })),
      limitKey('xdp', 'r', limit({ unit: 'bytes' })),
      limitKey('xdp', 'r', limit({ per: 'destination' })),
      limitKey('xdp', 'r', limit({ prefix: { ip4: 24, ip6: 48 } })),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(limitKeys(hook(rule('r'), testRule('other', x.constant(true)), rule('s')))).toEqual([keys[0], keys[2]]);
  });
});

test.each([
  { prefix: undefined, want: [0, 0, 0, 0] },
  { prefix: { ip4: 24, ip6: 48 }, want: [8, 16, 32, 32] },
  { prefix: { ip4: 1, ip6: 64 }, want: [31, 0, 32, 32] },
  { prefix: { ip4: 32, ip6: 100 }, want: [0, 0, 28, 0] },
  { prefix: { ip4: 32, ip6: 1 }, want: [0, 63, 32, 32] },
])('bits that do not count: $prefix', ({ prefix, want }) => {
  const entry = new DataView(new ArrayBuffer(LIMIT_ENTRY.octets));
  const one = limit(prefix && { prefix });
  writeLimit(entry, 0, 'xdp', rule('r'), one);
  const { clear4, clear6, clear6Low, clear6High } = LIMIT_ENTRY;
  expect([clear4, clear6, clear6Low, clear6High].map((at) => entry.getUint8(at))).toEqual(want);
  expect(entry.getBigUint64(LIMIT_ENTRY.key, true)).toBe(limitKey('xdp', 'r', one));
});
