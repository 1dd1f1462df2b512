import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Event } from '../model/event.ts';
import { describeEvent } from './describe-event.ts';
import { EventBus, MAX_SUBSCRIPTIONS, RING_SIZE } from './event-bus.ts';
import { Histogram } from './histogram.ts';
import { openLog } from './log.ts';
import { MAX_QUEUE } from './subscription.ts';

const converged = (routes: number): Event => ({ at: routes, kind: 'peer-converged', peer: 'core', routes });
const member = (prefix: string): Event => ({ at: 1, kind: 'member', set: 's', prefix, present: true, peer: 'core' });

describe('histogram', () => {
  test('quantiles are within 4 % of the exact ones', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.001, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          const h = new Histogram();
          for (const v of values) h.record(v);
          const exact = [...values].sort((a, b) => a - b)[Math.max(0, Math.ceil(q * values.length) - 1)] ?? 0;
          expect(h.quantile(q)).toBeGreaterThanOrEqual(exact * 0.999);
          expect(h.quantile(q)).toBeLessThanOrEqual(exact * 1.04);
          expect(h.max).toBe(Math.max(...values));
        },
      ),
    );
  });

  test('nothing, nonsense and extremes', () => {
    const h = new Histogram();
    expect(h.quantile(0.5)).toBe(0);
    h.record(Number.NaN);
    h.record(-1);
    expect(h.count).toBe(0);
    h.record(0);
    h.record(1e12);
    expect(h.count).toBe(2);
    expect(h.quantile(1)).toBeGreaterThan(1e6);
  });
});

describe('event bus', () => {
  test('the ring keeps the newest, oldest first, and no members', () => {
    const bus = new EventBus();
    for (let i = 0; i < RING_SIZE + 10; i++) {
      bus.emit(converged(i));
      bus.emit(member('192.0.2.1/32'));
    }
    const recent = bus.recent();
    expect(recent).toHaveLength(RING_SIZE);
    expect(recent[0]).toEqual(converged(10));
    expect(recent.at(-1)).toEqual(converged(RING_SIZE + 9));
    expect(bus.recent(2)).toEqual([converged(RING_SIZE + 8), converged(RING_SIZE + 9)]);
  });

  test('counters', () => {
    const bus = new EventBus();
    const report = { added: 3, removed: 1, kernelMs: 2, latencyMs: 4, ok: true };
    bus.emit(member('192.0.2.1/32'));
    bus.emit({ at: 1, kind: 'refused', set: 's', prefix: '192.0.2.0/24', peer: 'core', reason: 'length' });
    bus.emit({ at: 1, kind: 'refused', set: 's', prefix: '192.0.2.0/24', peer: 'core', reason: 'length' });
    bus.emit({ at: 1, kind: 'kernel', event: { kind: 'commit', report } });
    bus.emit({ at: 1, kind: 'kernel', event: { kind: 'commit', report: { ...report, ok: false } } });
    bus.emit({ at: 1, kind: 'peer-state', peer: 'core', from: 'OpenConfirm', to: 'Established', reason: undefined });
    bus.emit({ at: 1, kind: 'peer-state', peer: 'core', from: 'Established', to: 'idle', reason: 'hold timer' });
    bus.emit({ at: 1, kind: 'message-errors', peer: 'core', errors: [{ action: 'treat-as-withdraw', message: 'm', offset: 1 }] });
    const values = bus.counters();
    expect(values).toMatchObject({
      membersAdded: 1,
      commits: 2,
      commitsFailed: 1,
      elementsAdded: 3,
      elementsRemoved: 1,
      sessionsEstablished: 1,
      sessionsLost: 1,
      refused: { s: { length: 2 } },
      messageErrors: { 'treat-as-withdraw': 1 },
    });
    expect(values.latency.count).toBe(1);
    expect(values.latency.max).toBe(4);
  });

  test('refusal reasons cannot grow without bound', () => {
    const bus = new EventBus();
    for (let i = 0; i < 5000; i++) bus.emit({ at: 1, kind: 'refused', set: `s${i}`, prefix: 'p', peer: 'core', reason: 'r' });
    expect(Object.keys(bus.counters().refused).length).toBeLessThanOrEqual(2049);
    expect(bus.counters().refused['other']?.['other']).toBe(5000 - 2048);
  });

  test('a slow subscriber loses the oldest and is told how many', async () => {
    const bus = new EventBus();
    const subscription = bus.subscribe((e) => e.kind === 'peer-converged');
    const total = 3 * MAX_QUEUE;
    for (let i = 0; i < total; i++) {
      bus.emit(converged(i));
      bus.emit(member('192.0.2.1/32'));
    }
    const batch = await subscription!.next();
    expect(batch!.lost + batch!.events.length).toBe(total);
    expect(batch!.events.length).toBeLessThanOrEqual(MAX_QUEUE + 64);
    expect(batch!.events.at(-1)).toEqual(converged(total - 1));
    const waiting = subscription!.next();
    bus.emit(converged(7));
    expect(await waiting).toEqual({ events: [converged(7)], lost: 0 });
    const ending = subscription!.next();
    bus.close();
    expect(await ending).toBeUndefined();
    bus.emit(converged(8));
    expect(await subscription!.next()).toBeUndefined();
  });

  test('subscribers are limited and make room when they close', () => {
    const bus = new EventBus();
    const all = Array.from({ length: MAX_SUBSCRIPTIONS }, () => bus.subscribe(() => true));
    expect(all.every((s) => s !== undefined)).toBe(true);
    expect(bus.subscribe(() => true)).toBeUndefined();
    all[0]!.close();
    all[0]!.close();
    expect(bus.subscribe(() => true)).toBeDefined();
  });
});

describe('log', () => {
  test('events by level', () => {
    const lines: string[] = [];
    const log = openLog({ level: 'info', format: 'json', write: (l) => lines.push(l) });
    log.events(member('192.0.2.1/32'));
    log.events(converged(5));
    log.log('warn', 'attention', { a: 1 });
    const parsed = lines.map((l) => JSON.parse(l) as { message: string; level: number; event?: string });
    expect(parsed.map((p) => p.message)).toEqual(['peer core has converged with 5 routes', 'attention']);
    expect(parsed[0]?.event).toBe('peer-converged');
  });

  test('text escapes control characters', () => {
    const lines: string[] = [];
    const log = openLog({ level: 'debug', format: 'text', write: (l) => lines.push(l) });
    log.events({ at: 1, kind: 'peer-state', peer: 'core', from: 'Established', to: 'idle', reason: 'bye\u001b[31m\n' });
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} warn {2}peer core Established -> idle: bye\\x1b\[31m\\x0a\n$/);
  });

  test('every kind of event has a line', () => {
    const problem = { kind: 'table-missing', subject: 's', message: 'm', remedy: undefined, since: 1 } as const;
    const events: Event[] = [
      { at: 1, kind: 'max-prefixes', peer: 'core', count: 9, limit: 10, action: 'warn' },
      { at: 1, kind: 'listen', address: '192.0.2.1:179', ok: false, message: 'EADDRINUSE' },
      { at: 1, kind: 'reload', ok: true, changed: [] },
      { at: 1, kind: 'kernel', event: { kind: 'drift', set: 's', detail: 'd', repaired: true } },
      { at: 1, kind: 'kernel', event: { kind: 'problem', problem } },
      { at: 1, kind: 'kernel', event: { kind: 'problem-over', problem } },
      { at: 1, kind: 'kernel', event: { kind: 'failed', message: 'm' } },
    ];
    expect(events.map((e) => describeEvent(e).message)).toEqual([
      'peer core announced 9 of at most 10 prefixes: warn',
      'cannot listen on 192.0.2.1:179: EADDRINUSE',
      'configuration reloaded: nothing changed',
      's was changed by another process: d (repaired)',
      's: m',
      's: over: m',
      'kernel: m',
    ]);
  });
});
