import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attachTcx, PinDirectory } from '@weir/ebpf/kernel';
import { inNetworkNamespace, interfaceIndex } from '@weir/sys';
import { parseIp } from '@weir/wire/inet';
import { describe, expect, it, onTestFinished } from 'vitest';
import { compileRules, LOG_GROUP } from '../../apps/weir/src/compile/nft/policy/index.ts';
import { printTable } from '../../apps/weir/src/compile/nft/print.ts';
import { writtenRule as rule } from '../../apps/weir/src/compile/test-rule.ts';
import type { HookRules, Rule } from '../../apps/weir/src/model/rule.ts';
import type { VerdictEvent } from '../../apps/weir/src/model/verdict-event.ts';
import { type NamedVerdict, VerdictReader, VerdictStream } from '../../apps/weir/src/observe/verdicts/index.ts';
import { LogPrefixes, LogSource } from '../../apps/weir/src/observe/verdicts/log-source.ts';
import { runCommand } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { keep } from './ebpf-bed.ts';
import { eventBed, syn } from './ebpf-events-bed.ts';

const ALL = 'ip.ttl >= 0 or not ip.ttl >= 0';

interface Reading {
  readonly reader: VerdictReader;
  readonly stream: VerdictStream;
  readonly problems: Map<string, string>;
  /** The newest events once there are so many in all. */
  until(count: number): Promise<readonly NamedVerdict[]>;
}

async function startReading(): Promise<Reading> {
  const stream = new VerdictStream();
  const problems = new Map<string, string>();
  let seen = 0;
  const reader = await VerdictReader.start({
    onBatch: (batch) => {
      stream.take(batch);
      seen = Object.values(stream.counts().verdicts).reduce((sum, one) => sum + one, 0);
    },
    onProblem: (subject, message) => {
      if (message === undefined) problems.delete(subject);
      else problems.set(subject, message);
    },
    onFailure: (error) => {
      throw error;
    },
  });
  onTestFinished(() => reader.close());
  const until = async (count: number): Promise<readonly NamedVerdict[]> => {
    for (let tries = 0; tries < 500 && seen < count; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(seen).toBe(count);
    return stream.last(count, {});
  };
  return { reader, stream, problems, until };
}

describe('the reader of verdict events', () => {
  it('reads what programs write, in order, and names it', async () => {
    const bed = keep(eventBed('tc', [rule('first', 'tcp.dstport == 22', { kind: 'deny' }, { log: true, priority: 100 })]));
    const { reader, stream, until } = await startReading();
    stream.names.addProgram({ generation: 42, rules: [{ ref: 'first', label: 'first#100' }] });
    bed.loaded.program.run({ data: syn, repeat: 3 });
    reader.setRing({ kind: 'descriptor', fd: bed.ring.fd });
    await until(3);
    bed.loaded.program.run({ data: syn, repeat: 2 });
    const events = await until(5);
    expect(events.map(({ rule: name, event: { verdict, destinationPort } }) => [name?.ref, verdict, destinationPort])).toEqual(
      Array.from({ length: 5 }, () => ['first', 'deny', 22]),
    );
    const times = events.map(({ event }) => event.time);
    expect([...times].sort((a, b) => Number(a - b))).toEqual(times);
    // Test runs go by the loopback interface.
    expect(events[0]).toMatchObject({ output: 'lo' });
    expect(reader.counts()).toEqual({ ring: 5, log: 0, queueLost: 0, logLost: 0, notOurs: 0 });
  });

  it('loses nothing on its way: what programs saw is what was read and what the ring had no room for', async () => {
    const bed = keep(eventBed('tc', [rule('all', ALL, { kind: 'deny' }, { log: true })], 1 << 16));
    const { reader, stream } = await startReading();
    reader.setRing({ kind: 'descriptor', fd: bed.ring.fd });
    const runs = 40;
    for (let i = 0; i < runs; i++) {
      bed.loaded.program.run({ data: syn, repeat: 5000 });
      if (i % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const [seen = 0, sampledOut, lost = 0] = bed.counts(0);
    expect([seen, sampledOut]).toEqual([runs * 5000, 0]);
    for (let tries = 0; tries < 500 && stream.counts().verdicts.deny < seen - lost; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    const { ring, queueLost } = reader.counts();
    expect(ring).toBe(seen - lost);
    expect(stream.counts().verdicts.deny).toBe(ring - queueLost);
    // A ring of 64 KiB is too small for this.
    expect(lost).toBeGreaterThan(0);
  });

  it('goes over to another ring, which is pinned, and has what waited in the first', async () => {
    const first = keep(eventBed('xdp', [rule('a', ALL, { kind: 'deny' }, { log: true })]));
    const second = keep(eventBed('xdp', [rule('b', ALL, { kind: 'allow' }, { log: true })]));
    const mounted = mkdtempSync(join(tmpdir(), 'weir-bpffs-'));
    onTestFinished(async () => {
      await runCommand('umount', [mounted]);
      rmdirSync(mounted);
    });
    await runCommand('mount', ['-t', 'bpf', 'bpf', mounted]);
    const directory = PinDirectory.open(mounted);
    directory.pin(second.ring, 'events');
    const { reader, until, problems } = await startReading();
    reader.setRing({ kind: 'descriptor', fd: first.ring.fd });
    first.loaded.program.run({ data: syn });
    reader.setRing({ kind: 'pinned', directory: directory.path, name: 'events' });
    second.loaded.program.run({ data: syn });
    expect((await until(2)).map(({ event }) => event.verdict)).toEqual(['deny', 'allow']);
    reader.setRing({ kind: 'pinned', directory: directory.path, name: 'nothing' });
    for (let tries = 0; tries < 500 && problems.size === 0; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect([...problems]).toEqual([['ring buffer', 'nothing is pinned there']]);
  });

  it('has one event of a packet, whether a program or nf_tables has judged it', async () => {
    const lab = labForTest();
    const client = await lab.host('client');
    const server = await lab.host('server');
    await lab.link(
      { host: client, name: 'eth0', addresses: ['192.0.2.1/24', '2001:db8::1/64'] },
      { host: server, name: 'eth0', addresses: ['192.0.2.2/24', '2001:db8::2/64'] },
    );
    const rules: readonly Rule[] = [
      rule('dns', 'udp.dstport == 53', { kind: 'log' }),
      rule('watched', 'tcp.dstport == 22', { kind: 'deny' }, { audit: true }),
      rule('time', 'udp.dstport == 123', { kind: 'allow' }, { log: true }),
      rule('rest', ALL, { kind: 'allow' }),
    ];
    const bed = keep(eventBed('tc', rules));
    const index = inNetworkNamespace(server.path, () => interfaceIndex('eth0'));
    const attached = keep(attachTcx(bed.loaded.program, { interface: index, direction: 'ingress', netns: server.path }));
    expect(attached.fd).toBeGreaterThan(0);
    const hook: HookRules = { hook: 'input', priority: 0, rules };
    const { table, problems: refused } = compileRules([hook], [], { table: 'weir' });
    expect(refused).toEqual([]);
    await server.nft(printTable(table));

    const { reader, stream, problems, until } = await startReading();
    stream.names.addProgram({
      generation: 42,
      rules: rules.map(({ ref }) => ({ ref, label: ref })),
    });
    reader.setRing({ kind: 'descriptor', fd: bed.ring.fd });
    reader.setScopes([{ scope: 0, netns: server.path, group: LOG_GROUP }]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect([...problems]).toEqual([]);

    await client.exec('bash', [
      '-c',
      'echo -n hello > /dev/udp/192.0.2.2/53; echo -n hello > /dev/udp/2001:db8::2/53; echo -n hello > /dev/udp/192.0.2.2/123; (echo > /dev/tcp/192.0.2.2/22) 2>/dev/null; (echo > /dev/tcp/2001:db8::2/22) 2>/dev/null; true',
    ]);
    const events = await until(10);
    const of = (from: VerdictEvent['from']): unknown[] =>
      events.flatMap(({ event: { time: _, from: who, hook: at, rule: number, generation, ...rest }, rule: name, input, output }) =>
        who === from ? [{ ...rest, name: name?.ref, in: input, out: output }] : [],
      );
    expect(of('nflog')).toEqual(of('ebpf'));
    expect(of('ebpf').slice(0, 4)).toMatchObject([
      {
        name: 'dns',
        verdict: 'log',
        source: parseIp('192.0.2.1'),
        destination: parseIp('192.0.2.2'),
        protocol: 17,
        destinationPort: 53,
        length: 33,
        in: 'eth0',
      },
      { name: 'dns', verdict: 'log', source: parseIp('2001:db8::1'), length: 53 },
      { name: 'time', verdict: 'allow', destinationPort: 123 },
      { name: 'watched', verdict: 'deny', audit: true, protocol: 6, tcpFlags: 2, destinationPort: 22 },
    ]);
    // The two clocks are one.
    const times = (from: VerdictEvent['from']): bigint[] => events.flatMap(({ event }) => (event.from === from ? [event.time] : []));
    const logged = times('nflog');
    for (const [i, time] of times('ebpf').entries()) expect(Math.abs(Number((logged[i] ?? 0n) - time))).toBeLessThan(20_000_000);
    expect(reader.counts()).toMatchObject({ ring: 5, log: 5, logLost: 0, notOurs: 0 });
  });

  it('has of nf_tables one packet in many, or so many a second, where rules say so; their verdicts are the same', async () => {
    const lab = labForTest();
    const host = await lab.host('sampled');
    const rules: readonly Rule[] = [
      rule('skips', 'udp.dstport == 1', { kind: 'skip', to: 'rest' }, { log: true, sampling: { every: 5 } }),
      rule('tenth', 'udp.dstport in {1 9}', { kind: 'deny' }, { log: true, sampling: { every: 10 } }),
      rule('three', 'udp.dstport == 10', { kind: 'deny' }, { log: true, sampling: { perSecond: 3 } }),
      rule('rest', ALL, { kind: 'allow' }),
    ];
    const { table } = compileRules([{ hook: 'input', priority: 0, rules }], [], { table: 'weir' });
    await host.nft(printTable(table));
    const { reader, until } = await startReading();
    reader.setScopes([{ scope: 0, netns: host.path, group: LOG_GROUP }]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await host.exec('bash', [
      '-c',
      'for port in 1 9 10; do for ((i = 0; i < 50; i++)); do echo > /dev/udp/127.0.0.1/$port; done; done; true',
    ]);
    const events = await until(10 + 5 + 3);
    const of = (ref: string): number => events.filter(({ rule: name }) => name?.ref === ref).length;
    expect([of('skips'), of('tenth'), of('three')]).toEqual([10, 5, 3]);
    // 50 of each port; those of the skip were let through, and so was what answered that nobody listens.
    const counts = [...(await host.nftList('table', 'inet', 'weir')).matchAll(/counter packets (\d+) .*(drop|accept)/g)].map(
      ([, packets, verdict]) => `${packets} ${verdict}`,
    );
    expect(counts.filter((one) => one.endsWith('drop'))).toEqual(['50 drop', '50 drop']);
    expect(counts).toContain('100 accept');
  });

  it('counts what nfnetlink_log had no room for, exactly', async () => {
    const lab = labForTest();
    const host = await lab.host('flooded');
    await host.nft(`table inet fw {
      chain input { type filter hook input priority 0; udp dport 9 counter log prefix "weir input r deny: " group 7 drop; }
    }`);
    const source = keep(new LogSource({ scope: 0, netns: host.path, group: 7 }, new LogPrefixes(), 32_768));
    const flood = (count: number): Promise<unknown> =>
      host.exec('bash', ['-c', `for ((i = 0; i < ${count}; i++)); do echo > /dev/udp/127.0.0.1/9; done`]);
    const sent = 3000;
    // Nobody reads meanwhile; what follows is read, and tells what is missing.
    await flood(sent);
    let [read, lost] = [0, 0];
    const take = (): void => {
      while (
        source.read((event, gap) => {
          if (event) read++;
          lost += gap;
        })
      );
    };
    take();
    const early = read;
    expect(early).toBeLessThan(sent);
    await flood(50);
    for (let tries = 0; tries < 300 && read + lost < sent + 50; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      take();
    }
    expect(read + lost).toBe(sent + 50);
    // The kernel may have held back some of the flood, to send them together.
    expect(read - early).toBeGreaterThanOrEqual(50);
    expect(lost).toBeGreaterThan(0);
  });

  it('says whose log group is taken, and has it when it is free', async () => {
    const lab = labForTest();
    const host = await lab.host('taken');
    const { LogListener } = await import('@weir/netlink/log');
    const other = new LogListener({ group: 64, netns: host.path, copy: 0 });
    const { reader, problems } = await startReading();
    reader.setScopes([{ scope: 0, netns: host.path, group: 64 }]);
    for (let tries = 0; tries < 500 && problems.size === 0; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect([...problems.keys()]).toEqual([`nfnetlink_log group 64 of ${host.path}`]);
    other.close();
    reader.setScopes([{ scope: 0, netns: host.path, group: 64 }]);
    for (let tries = 0; tries < 500 && problems.size > 0; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(problems.size).toBe(0);
  });
});
