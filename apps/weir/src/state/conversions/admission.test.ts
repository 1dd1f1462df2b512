import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TestClock } from '../test-fixtures.ts';
import { Admission } from './admission.ts';

function admission(most: number, rate = 1, burst = 100) {
  const clock = new TestClock();
  const there = new Map<string, number>();
  const log: string[] = [];
  const one = new Admission<{ readonly key: string; readonly value: number }>({
    clock,
    limits: { most, churn: { rate, burst } },
    changed: (now, before) => {
      if (now) there.set(now.key, now.value);
      else if (before) there.delete(before.key);
      log.push(`${now ? '+' : '-'}${(now ?? before)?.key}`);
    },
    again: () => log.push('again'),
  });
  return { clock, there, log, one };
}

describe('what is let in', () => {
  test('new ones wait for the churn limit, in their order; what goes, goes at once', () => {
    const { clock, one, log } = admission(10, 1, 2);
    for (const key of ['a', 'b', 'c', 'd']) one.put(key, { key, value: 1 });
    expect([log, one.size, one.waiting]).toEqual([['+a', '+b'], 2, 2]);
    one.delete('a');
    one.delete('d');
    expect([log.at(-1), one.waiting]).toEqual(['-a', 1]);
    clock.advance(1000);
    expect([log.at(-1), one.size, one.waiting]).toEqual(['+c', 2, 0]);
  });

  test('what comes beyond the limit waits for room', () => {
    const { clock, one, log } = admission(1);
    for (const key of ['a', 'b']) one.put(key, { key, value: 1 });
    clock.advance(60_000);
    expect(log).toEqual(['+a']);
    one.delete('a');
    clock.advance(0);
    expect(log).toEqual(['+a', '-a', '+b']);
  });

  test('what was there before costs no churn', () => {
    const { one } = admission(10, 1, 1);
    for (const key of ['a', 'b', 'c']) one.put(key, { key, value: 1 }, true);
    expect([one.size, one.waiting]).toEqual([3, 0]);
  });

  test('at its end everything is taken out', () => {
    const { clock, one, there } = admission(1);
    for (const key of ['a', 'b']) one.put(key, { key, value: 1 });
    one.close();
    clock.advance(60_000);
    expect([there.size, one.size, one.waiting]).toEqual([0, 0, 0]);
  });

  test('whatever comes and goes: never more than the limit, only what was put, and all of it once there is room and time', () => {
    const keys = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const step = fc.oneof(
      fc.record({ kind: fc.constant('put' as const), key: keys, free: fc.boolean() }),
      fc.record({ kind: fc.constant('delete' as const), key: keys }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 5000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (steps, most) => {
        const { clock, one, there } = admission(most, 1, 2);
        const wanted = new Set<string>();
        for (const at of steps) {
          if (at.kind === 'wait') clock.advance(at.ms);
          else if (at.kind === 'put') {
            wanted.add(at.key);
            one.put(at.key, { key: at.key, value: 1 }, at.free);
          } else {
            wanted.delete(at.key);
            one.delete(at.key);
          }
          expect(there.size).toBeLessThanOrEqual(most);
          expect(there.size).toBe(one.size);
          expect(one.size + one.waiting).toBe(wanted.size);
          for (const key of there.keys()) expect(wanted.has(key)).toBe(true);
        }
        for (let second = 0; second < 20; second++) clock.advance(1000);
        expect(there.size).toBe(Math.min(most, wanted.size));
      }),
      { numRuns: 200 },
    );
  });
});
