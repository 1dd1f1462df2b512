import { parseIp, prefix } from '@weir/wire/inet';
import { describe, expect, it, test } from 'vitest';
import { testEvent } from '../../model/test-event.ts';
import type { VerdictEvent } from '../../model/verdict-event.ts';
import { encodeVerdictEvent } from '../../model/verdict-event-codec.ts';
import { EVENT_OCTETS } from '../../model/verdict-event-layout.ts';
import { logEvent } from './log-event.ts';
import { parseLogPrefix } from './log-prefix.ts';
import type { VerdictBatch } from './reader-protocol.ts';
import type { VerdictFilter } from './verdict-filter.ts';
import { HISTORY, MAX_SUBSCRIPTIONS, VerdictStream } from './verdict-stream.ts';
import { MAX_QUEUE } from './verdict-subscription.ts';

function batch(events: readonly Partial<VerdictEvent>[], more: Partial<VerdictBatch> = {}): VerdictBatch {
  const records = new Uint8Array(events.length * EVENT_OCTETS);
  for (const [i, event] of events.entries()) encodeVerdictEvent(new DataView(records.buffer), i * EVENT_OCTETS, testEvent(event));
  return { records, prefixes: [], interfaces: [], ...more };
}

const numbered = (count: number, from = 0): VerdictBatch => batch(Array.from({ length: count }, (_, i) => ({ length: from + i })));

describe('the stream of verdicts', () => {
  it('keeps the newest and counts all', () => {
    const stream = new VerdictStream();
    for (let i = 0; i < HISTORY + 100; i += 100) stream.take(numbered(100, i));
    const last = stream.last(HISTORY + 1, {});
    expect(last).toHaveLength(HISTORY);
    expect(last[0]?.event.length).toBe(Math.ceil((HISTORY + 100) / 100) * 100 - HISTORY);
    expect(last.at(-1)?.event.length).toBe(Math.ceil((HISTORY + 100) / 100) * 100 - 1);
    expect(stream.last(2, {}).map(({ event }) => event.length)).toEqual(last.slice(-2).map(({ event }) => event.length));
    expect(stream.counts().verdicts.deny).toBe(Math.ceil((HISTORY + 100) / 100) * 100);
  });

  it('names rules of programs, by the program that they were in', () => {
    const stream = new VerdictStream();
    stream.names.addProgram({ generation: 1, rules: [{ ref: 'a', label: 'a#1' }] });
    stream.names.addProgram({ generation: 2, rules: [{ ref: 'b', label: 'b#1' }] });
    stream.take(batch([{ generation: 1 }, { generation: 2 }, { generation: 3 }, { generation: 2, rule: 7 }]));
    expect(stream.last(9, {}).map(({ rule }) => rule?.ref)).toEqual(['a', 'b', undefined, undefined]);
    for (let generation = 3; generation < 259; generation++) stream.names.addProgram({ generation, rules: [{ ref: 'c', label: 'c' }] });
    expect(stream.last(9, {}).map(({ rule }) => rule?.ref)).toEqual([undefined, undefined, 'c', undefined]);
  });

  it('names rules of nf_tables by what they log with, and interfaces and tenants by their scope', () => {
    const stream = new VerdictStream();
    const long = 'weir input so-long-a-re... deny: ';
    stream.names.setLogged([
      { scope: 0, tenant: undefined, rules: new Map([[long, { ref: 'so-long-a-ref', label: 'so-long#5' }]]) },
      { scope: 2, tenant: 'blue', rules: new Map() },
    ]);
    const prefixes = [[1, long]] as const;
    const interfaces = [{ scope: 2, index: 3, name: 'eth0' }];
    stream.take(
      batch(
        [
          { from: 'nflog', rule: 1 },
          { from: 'nflog', rule: 1, scope: 2, input: 3, output: 4 },
        ],
        { prefixes, interfaces },
      ),
    );
    expect(stream.last(2, {})).toMatchObject([
      { rule: { ref: 'so-long-a-ref', label: 'so-long#5' }, tenant: undefined },
      // Of rules that are gone the prefix says what is left of them.
      { rule: { ref: 'so-long-a-re...' }, tenant: 'blue', input: 'eth0', output: '#4' },
    ]);
  });

  it('gives subscribers what comes, and counts what they were too slow for', async () => {
    const stream = new VerdictStream();
    const subscription = stream.subscribe({ verdicts: ['deny'] });
    stream.take(batch([{ length: 1 }, { length: 2, verdict: 'allow' }, { length: 3 }]));
    expect((await subscription?.next())?.events.map(({ event }) => event.length)).toEqual([1, 3]);
    stream.take(numbered(MAX_QUEUE + 5));
    const part = await subscription?.next();
    expect([part?.lost, part?.events.length, part?.events[0]?.event.length]).toEqual([5, MAX_QUEUE, 5]);
    expect(stream.counts().subscriberLost).toBe(5);
    const waiting = subscription?.next();
    stream.take(numbered(1, 77));
    expect((await waiting)?.events.map(({ event }) => event.length)).toEqual([77]);
    const ending = subscription?.next();
    stream.close();
    expect(await ending).toBeUndefined();
  });

  it('has a bound on subscribers', () => {
    const stream = new VerdictStream();
    const all = Array.from({ length: MAX_SUBSCRIPTIONS }, () => stream.subscribe({}));
    expect(stream.subscribe({})).toBeUndefined();
    all[0]?.close();
    all[0]?.close();
    expect(stream.subscribe({})).toBeDefined();
  });
});

const six = { source: parseIp('2001:db8:0:1::9')!, destination: parseIp('2001:db8:ffff::1')! };

test.each<{ readonly filter: VerdictFilter; readonly yes: Partial<VerdictEvent>; readonly no: Partial<VerdictEvent> }>([
  { filter: { verdicts: ['allow', 'log'] }, yes: { verdict: 'log' }, no: { verdict: 'deny' } },
  { filter: { hook: 'tc' }, yes: { hook: 'tc' }, no: { hook: 'xdp' } },
  { filter: { protocol: 17 }, yes: { protocol: 17 }, no: { protocol: 6 } },
  { filter: { port: 22 }, yes: { sourcePort: 22, destinationPort: 1 }, no: { sourcePort: 23, destinationPort: 23 } },
  { filter: { prefix: prefix('192.0.2.4/31') }, yes: {}, no: { destination: parseIp('192.0.2.6')! } },
  { filter: { prefix: prefix('203.0.113.9/32') }, yes: {}, no: { source: parseIp('203.0.113.8')! } },
  { filter: { prefix: prefix('0.0.0.0/0') }, yes: {}, no: six },
  { filter: { prefix: prefix('2001:db8:0:1::/64') }, yes: six, no: { ...six, source: parseIp('2001:db8:0:2::9')! } },
  { filter: { prefix: prefix('2001:db8:fffe::/47') }, yes: six, no: { ...six, destination: parseIp('2001:db8:fffd::1')! } },
  { filter: { rule: 'a' }, yes: { rule: 0 }, no: { rule: 1 } },
  { filter: { tenant: 'blue' }, yes: { scope: 2 }, no: { scope: 0 } },
])('$filter', ({ filter, yes, no }) => {
  const stream = new VerdictStream();
  stream.names.addProgram({
    generation: 1,
    rules: [
      { ref: 'a', label: 'a' },
      { ref: 'b', label: 'b' },
    ],
  });
  stream.names.setLogged([{ scope: 2, tenant: 'blue', rules: new Map() }]);
  stream.take(batch([yes, no]));
  const [only, ...others] = stream.last(9, filter);
  expect([only?.event, others]).toEqual([testEvent(yes), []]);
});

test.each([
  { input: 'weir input web-1 deny: ', want: { hook: 'input', ref: 'web-1', verdict: 'deny', audit: false } },
  { input: 'weir forward web audit reject: ', want: { hook: 'forward', ref: 'web', verdict: 'reject', audit: true } },
  { input: 'weir input two words allow: ', want: { hook: 'input', ref: 'two words', verdict: 'allow', audit: false } },
  { input: 'weir input audit log: ', want: { hook: 'input', ref: 'audit', verdict: 'log', audit: false } },
  { input: 'weir input web drop: ', want: undefined },
  { input: 'dropped: ', want: undefined },
  { input: '', want: undefined },
])('the prefix "$input"', ({ input, want }) => {
  expect(parseLogPrefix(input)).toEqual(want);
});

test('a packet that is logged has the time of its receipt by the clock of the machine, or of now', () => {
  const prefixOf = { hook: 'input', ref: 'r', verdict: 'deny', audit: false } as const;
  const clocks = { wall: 1_000_000_000_000n, boot: 5_000_000_000n };
  const context = { prefix: prefixOf, rule: 3, scope: 1, clocks };
  const packet = { family: 2, group: 64, hook: 1, protocol: 0x0800 };
  expect(logEvent({ ...packet, time: { seconds: 999n, microseconds: 500_000n } }, context)?.time).toBe(4_500_000_000n);
  expect(logEvent({ ...packet, time: { seconds: 0n, microseconds: 0n } }, context)?.time).toBe(0n);
  expect(logEvent(packet, context)).toMatchObject({ time: 5_000_000_000n, from: 'nflog', hook: 'input', rule: 3, scope: 1, length: 0 });
  expect(logEvent({ ...packet, hook: 4 }, context)).toBeUndefined();
});
