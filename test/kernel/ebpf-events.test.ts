import { xdpContext } from '@weir/ebpf/kernel';
import { Packet } from '@weir/filter/packet';
import { parseIp } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import { COUNTERS } from '../../apps/weir/src/compile/ebpf/index.ts';
import { writtenRule as rule } from '../../apps/weir/src/compile/test-rule.ts';
import type { Action, Rule } from '../../apps/weir/src/model/rule.ts';
import type { VerdictEvent } from '../../apps/weir/src/model/verdict-event.ts';
import { packetFields } from '../../apps/weir/src/observe/verdicts/packet-fields.ts';
import { Hints } from '../agreement/generate/hints.ts';
import { PacketMaker } from '../agreement/generate/packets.ts';
import { Random } from '../e2e/random.ts';
import { keep } from './ebpf-bed.ts';
import { compiled, type EventBed, eventBed, syn } from './ebpf-events-bed.ts';

const bed = (place: 'xdp' | 'tc', rules: readonly Rule[], ringOctets?: number): EventBed => keep(eventBed(place, rules, ringOctets));

const ALLOW: Action = { kind: 'allow' };
const DENY: Action = { kind: 'deny' };
const ALL = 'ip.ttl >= 0 or not ip.ttl >= 0';

describe('events of programs', () => {
  it.each([
    {
      name: 'a denial that is logged',
      rules: [rule('r', 'tcp.dstport == 22', DENY, { log: true })],
      want: [{ verdict: 'deny', rule: 0, audit: false }],
    },
    { name: 'what another rule is for', rules: [rule('r', 'tcp.dstport == 23', DENY, { log: true })], want: [] },
    {
      name: 'a denial that is only audited, and what follows',
      rules: [rule('a', 'tcp.dstport == 22', DENY, { audit: true }), rule('b', 'ip.ttl > 1', ALLOW, { log: true })],
      want: [
        { verdict: 'deny', rule: 0, audit: true },
        { verdict: 'allow', rule: 1, audit: false },
      ],
    },
    { name: 'an allowance under audit', rules: [rule('a', 'tcp.dstport == 22', ALLOW, { audit: true })], want: [] },
    {
      name: 'logging, then a skip',
      rules: [rule('l', 'tcp.dstport == 22', { kind: 'log' }), rule('s', ALL, { kind: 'skip', to: undefined }, { log: true })],
      want: [
        { verdict: 'log', rule: 0, audit: false },
        { verdict: 'skip', rule: 1, audit: false },
      ],
    },
  ] as const)('$name', ({ rules, want }) => {
    const { loaded, read } = bed('xdp', rules);
    loaded.program.run({ data: syn });
    expect(read().map(({ verdict, rule: index, audit }) => ({ verdict, rule: index, audit }))).toEqual(want);
  });

  it('that nothing asks for cost nothing', () => {
    const { program, maps } = compiled('xdp', [rule('a', 'tcp.dstport == 22', DENY), rule('b', ALL, ALLOW)]);
    expect(maps.map(({ kind }) => kind)).toEqual(['counters']);
    expect(program.symbols.map(({ name }) => name)).toEqual([COUNTERS]);
  });

  it.each(['xdp', 'tc'] as const)('at %s of a long list, which is classified', (place) => {
    const many = Array.from({ length: 200 }, (_, i) => rule(`r${i}`, `tcp.dstport == ${i + 1000}`, ALLOW, { log: i % 3 === 0 }));
    many[150] = rule('hit', 'tcp.dstport == 22', DENY, { audit: true });
    many[199] = rule('end', ALL, DENY, { log: true });
    const { loaded, read } = bed(place, many);
    loaded.program.run({ data: syn });
    expect(read().map(({ rule: index, verdict, audit }) => [index, verdict, audit])).toEqual([
      [150, 'deny', true],
      [199, 'deny', false],
    ]);
  });

  it('a mark at tc, and all fields', () => {
    const { loaded, read } = bed('tc', [rule('m', 'tcp.dstport == 22', { kind: 'mark', mark: 7 }, { log: true })]);
    loaded.program.run({ data: syn });
    const [event] = read();
    expect(event).toEqual({
      time: expect.any(BigInt),
      from: 'ebpf',
      hook: 'tc',
      rule: 0,
      generation: 42,
      scope: 0,
      verdict: 'mark',
      audit: false,
      length: 40,
      source: parseIp('203.0.113.9'),
      destination: parseIp('192.0.2.5'),
      protocol: 6,
      sourcePort: 51_000,
      destinationPort: 22,
      tcpFlags: 2,
      // Test runs go by the loopback interface, and have a socket of the process.
      output: 1,
      uid: 0,
      cgroup: expect.any(BigInt),
    });
  });

  it('at XDP names the interface', () => {
    const { loaded, read } = bed('xdp', [rule('r', ALL, DENY, { log: true })]);
    loaded.program.run({ data: syn, context: xdpContext(syn.length, 1) });
    expect(read()).toMatchObject([{ input: 1 }]);
  });

  it.each(['xdp', 'tc'] as const)('at %s say of any packet what the interpreter sees', (place) => {
    const { loaded, read, counts } = bed(place, [rule('r', ALL, DENY, { log: true })]);
    const random = new Random(7);
    const maker = new PacketMaker(random, { trains: true, wholeTrains: false, plainOptions: false, vlans: [7] });
    let judged = 0;
    for (let made = 0; made < 1500; made++) {
      for (const frame of maker.make(new Hints()).frames) {
        if (frame.length < 15 || frame.length > 3500) continue;
        loaded.program.run({ data: frame, discard: true });
        const [event, ...others] = read();
        expect(others).toEqual([]);
        expect(event).toMatchObject({ verdict: 'deny', rule: 0 });
        const { time: _, from, hook, rule: index, generation, scope, verdict, audit, input, output, uid, cgroup, ...fields } = event!;
        expect([Buffer.from(frame).toString('hex'), fields]).toEqual([
          Buffer.from(frame).toString('hex'),
          packetFields(Packet.fromEthernet(frame)),
        ]);
        judged++;
      }
    }
    expect(judged).toBeGreaterThan(1000);
    expect(counts(0)).toEqual([judged, 0, 0]);
  });

  it('that find the ring full are lost, and counted by rule: what was emitted is what was read and lost', () => {
    const { loaded, read, counts } = bed(
      'tc',
      [rule('a', 'tcp.dstport == 22', DENY, { log: true }), rule('b', ALL, DENY, { log: true })],
      4096,
    );
    loaded.program.run({ data: syn, repeat: 1000 });
    const first = read();
    // 104 octets and a header.
    expect(first.length).toBeGreaterThan(30);
    expect(counts(0)).toEqual([1000, 0, 1000 - first.length]);
    expect(counts(1)).toEqual([0, 0, 0]);
    loaded.program.run({ data: syn, repeat: 10 });
    expect(read()).toHaveLength(10);
    expect(counts(0)).toEqual([1010, 0, 1000 - first.length]);
  });

  it('one in many', () => {
    const { loaded, read, counts } = bed('tc', [rule('r', ALL, DENY, { log: true, sampling: { every: 10 } })]);
    for (let i = 0; i < 8; i++) loaded.program.run({ data: syn, repeat: 125 });
    const read1 = read().length;
    // Exactly one in ten of each CPU, which a test run may change between two of them.
    expect(read1).toBeGreaterThanOrEqual(100);
    expect(read1).toBeLessThanOrEqual(110);
    expect(counts(0)).toEqual([1000, 1000 - read1, 0]);
  });

  it('at most so many a second', () => {
    const { loaded, read, counts } = bed('tc', [rule('r', ALL, DENY, { log: true, sampling: { perSecond: 50 } })], 1 << 22);
    const events: VerdictEvent[] = [];
    for (let i = 0; i < 30; i++) {
      loaded.program.run({ data: syn, repeat: 5000 });
      events.push(...read());
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    }
    const seconds = new Map<bigint, number>();
    for (const { time } of events) seconds.set(time / 1_000_000_000n, (seconds.get(time / 1_000_000_000n) ?? 0) + 1);
    expect(seconds.size).toBeGreaterThanOrEqual(2);
    // An event that is decided on in one second may be stamped in the next.
    for (const count of seconds.values()) expect(count).toBeLessThanOrEqual(51);
    expect([...seconds.values()].some((count) => count >= 50)).toBe(true);
    expect(counts(0)).toEqual([150_000, 150_000 - events.length, 0]);
  });
});
