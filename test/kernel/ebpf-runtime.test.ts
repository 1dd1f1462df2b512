import { existsSync } from 'node:fs';
import { listInterfaces, PinDirectory, readTcx } from '@weir/ebpf/kernel';
import { PacketSocket } from '@weir/sys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COUNTERS } from '../../apps/weir/src/compile/ebpf/index.ts';
import { clearEbpf, type EbpfEngine, EbpfEngine as Engine, type WantedHook } from '../../apps/weir/src/kernel/ebpf/index.ts';
import { type Host, Lab } from '../lab/index.ts';
import { udp4 } from './ebpf-limits-bed.ts';
import { allow, delta, engine, features, mountBpf, pinDirectory, rule, tc, wanted, xdp } from './ebpf-runtime-bed.ts';

mountBpf();

let lab: Lab;
let host: Host;
let out: PacketSocket;

/** `here` is where programs are attached; what is sent by `there` arrives. */
beforeAll(async () => {
  lab = new Lab();
  host = await lab.host('engine');
  await host.ip('link', 'add', 'here', 'type', 'veth', 'peer', 'name', 'there');
  for (const name of ['here', 'there']) {
    await host.sysctl(`net.ipv6.conf.${name}.disable_ipv6`, 1);
    await host.ip('link', 'set', name, 'up');
  }
  out = PacketSocket.open({ interface: 'there', netns: host.path });
});
afterAll(async () => {
  out.close();
  await lab.dispose();
});

const index = (name: string): number => listInterfaces(host.path).find((one) => one.name === name)!.index;
const xdpOf = (name: string) => listInterfaces(host.path).find((one) => one.name === name)?.xdp;

/** Packets by ref. */
function counts(of: EbpfEngine, hook: string): Record<string, number> {
  const found = of.status().rules.find((one) => one.hook === hook);
  const columns = found?.counts(COUNTERS);
  return Object.fromEntries((found?.refs ?? []).map((ref, i) => [ref, Number(columns?.counts[i * (columns.words ?? 2)] ?? 0n)]));
}

/** Sends datagrams from a source and waits until so many have been judged in all. */
async function send(source: number, packets: number, of: EbpfEngine, hook: string, total: number): Promise<Record<string, number>> {
  out.send(Array.from({ length: packets }, () => udp4(source)));
  for (let tries = 0; tries < 200; tries++) {
    const now = counts(of, hook);
    if (Object.values(now).reduce((sum, one) => sum + one, 0) >= total) return now;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return counts(of, hook);
}

const BAD = 0xc0000207;
const GOOD = 0xc0000208;
const denyBad = rule('bad', 'ip.src == 192.0.2.7');

describe('the engine', () => {
  it.each([
    { name: 'native XDP', place: xdp('here', 'native'), hook: 'xdp', way: 'native' },
    { name: 'generic XDP', place: xdp('here', 'generic'), hook: 'xdp', way: 'generic' },
    { name: 'tcx', place: tc('here', 'ingress'), hook: 'tc', way: 'tcx' },
  ] as const)('judges real packets: $name', async ({ place, hook, way }) => {
    const directory = pinDirectory(host.path);
    const one = engine(directory, host);
    expect(one.configure([wanted(hook, [denyBad, allow], place)])).toEqual({ problems: [], repaired: [], gaps: [] });
    expect(one.status().places).toEqual([{ hook, place, generation: 1, way, why: undefined }]);
    await send(BAD, 3, one, hook, 3);
    expect(await send(GOOD, 5, one, hook, 8)).toEqual({ bad: 3, default: 5 });
    one.close(new Set([hook]));
    expect(xdpOf('here')).toBeUndefined();
    expect(clearEbpf(directory)).toEqual({ detached: 0, unpinned: expect.any(Number) as number, foreign: [] });
    expect(existsSync(directory)).toBe(false);
  });

  it('clsact where there is no tcx, which is said; others stay', async () => {
    const directory = pinDirectory(host.path);
    const one = engine(directory, host, ['tcx']);
    const place = tc('here', 'ingress');
    expect(one.configure([wanted('tc', [denyBad, allow], place)]).problems).toEqual([]);
    expect(one.status().places).toMatchObject([{ way: 'clsact', why: expect.stringContaining('tcx') as string }]);
    expect(await send(BAD, 4, one, 'tc', 4)).toEqual({ bad: 4, default: 0 });
    one.close();
    const two = engine(directory, host, ['tcx']);
    expect(two.configure([wanted('tc', [denyBad, allow], place)])).toEqual({ problems: [], repaired: [], gaps: [] });
    expect(await send(BAD, 4, two, 'tc', 8)).toEqual({ bad: 8, default: 0 });
    expect((await host.exec('tc', ['filter', 'show', 'dev', 'here', 'ingress'])).stdout.match(/handle 0x1/g)).toHaveLength(1);
    two.close();
    expect(clearEbpf(directory, host.path).detached).toBe(1);
    expect((await host.exec('tc', ['filter', 'show', 'dev', 'here', 'ingress'])).stdout).toBe('');
  });

  it('swaps rules; counts of rules that stay go on', async () => {
    const one = engine(pinDirectory(host.path), host);
    const place = xdp('here');
    one.configure([wanted('xdp', [denyBad, allow], place)]);
    await send(BAD, 3, one, 'xdp', 3);
    await send(GOOD, 2, one, 'xdp', 5);
    one.configure([wanted('xdp', [rule('good', 'ip.src == 192.0.2.8'), denyBad, allow], place)]);
    expect(counts(one, 'xdp')).toEqual({ good: 0, bad: 3, default: 2 });
    expect(await send(GOOD, 4, one, 'xdp', 9)).toEqual({ good: 4, bad: 3, default: 2 });
    await new Promise((resolve) => setTimeout(resolve, 30));
    one.poll();
    expect(one.status().places[0]?.generation).toBe(2);
    expect(await send(BAD, 1, one, 'xdp', 10)).toEqual({ good: 4, bad: 4, default: 2 });
    one.configure([wanted('xdp', [denyBad, allow], place)]);
    expect(counts(one, 'xdp')).toEqual({ bad: 4, default: 2 });
  });

  it('counts of a list of thousands go on, whatever comes before its rules', async () => {
    const one = engine(pinDirectory(host.path), host);
    const others = (count: number) =>
      Array.from({ length: count }, (_, i) => rule(`other-${i}`, `ip.src == 10.1.${i >> 8}.${i & 255}`, { kind: 'deny' }));
    const place = xdp('here');
    const told = (): Record<string, number> => {
      const { bad, default: rest } = counts(one, 'xdp');
      return { bad, default: rest } as Record<string, number>;
    };
    one.configure([wanted('xdp', [...others(2050), denyBad, allow], place)]);
    await send(BAD, 3, one, 'xdp', 3);
    await send(GOOD, 2, one, 'xdp', 5);
    expect(told()).toEqual({ bad: 3, default: 2 });
    one.configure([wanted('xdp', [...others(1100), denyBad, ...others(2060).slice(1100), allow], place)]);
    expect(told()).toEqual({ bad: 3, default: 2 });
    await send(BAD, 1, one, 'xdp', 6);
    expect(told()).toEqual({ bad: 4, default: 2 });
    await new Promise((resolve) => setTimeout(resolve, 150));
    one.poll();
    one.configure([wanted('xdp', [denyBad, allow], place)]);
    expect(told()).toEqual({ bad: 4, default: 2 });
  });

  it('changes nothing for the same rules', () => {
    const one = engine(pinDirectory(host.path), host);
    const hooks = [wanted('xdp', [denyBad, allow], xdp('here'))];
    one.configure(hooks);
    one.configure([wanted('xdp', [denyBad, allow], xdp('here'))]);
    expect(one.status().places[0]?.generation).toBe(1);
    expect(one.poll()).toBe(false);
  });

  it('fills lists before programs look into them, and changes them in place', async () => {
    const one = engine(pinDirectory(host.path), host);
    const hooks = [wanted('xdp', [rule('listed', 'ip.src in $bad'), allow], xdp('here'))];
    const known = delta('bad', ['192.0.2.7/32']);
    expect(one.openLists(hooks, (set, family) => (set === 'bad' && family === 4 ? known : undefined))).toEqual(['6 bad']);
    one.configure(hooks);
    expect(await send(BAD, 2, one, 'xdp', 2)).toEqual({ listed: 2, default: 0 });
    expect(one.apply([delta('bad', ['-192.0.2.7/32', '192.0.2.8/31'])]).change).toMatchObject({ added: 1, removed: 1, leftOut: 0 });
    await send(BAD, 1, one, 'xdp', 3);
    expect(await send(GOOD, 1, one, 'xdp', 4)).toEqual({ listed: 3, default: 1 });
    expect(one.apply([delta('bad', ['203.0.113.0/24'], true)]).change).toMatchObject({ added: 1, removed: 1 });
    expect(one.members().filter(({ count }) => count > 0)).toMatchObject([{ set: 'bad', family: 4, count: 1 }]);
    expect(await send(GOOD, 1, one, 'xdp', 5)).toEqual({ listed: 3, default: 2 });
  });
});

describe('the next process', () => {
  it('takes over links, programs, counts and lists', async () => {
    const directory = pinDirectory(host.path);
    const hooks = (): WantedHook[] => [
      wanted('xdp', [rule('listed', 'ip.src in $bad'), allow], xdp('here')),
      wanted('tc', [denyBad, allow], tc('here', 'ingress'), tc('here', 'egress')),
    ];
    const one = engine(directory, host);
    one.openLists(hooks(), () => delta('bad', []));
    one.configure(hooks());
    one.apply([delta('bad', ['192.0.2.8/32'])]);
    await send(GOOD, 2, one, 'xdp', 2);
    const before = { xdp: xdpOf('here'), tcx: readTcx({ interface: index('here'), direction: 'ingress', netns: host.path }) };
    await new Promise((resolve) => setTimeout(resolve, 30));
    one.poll();
    one.close();
    expect(xdpOf('here')).toEqual(before.xdp);
    const two = engine(directory, host);
    expect(two.members().find(({ family }) => family === 4)).toMatchObject({ set: 'bad', count: 1 });
    expect(two.openLists(hooks(), () => undefined)).toEqual([]);
    expect(two.configure(hooks())).toEqual({ problems: [], repaired: [], gaps: [] });
    expect({ xdp: xdpOf('here'), tcx: readTcx({ interface: index('here'), direction: 'ingress', netns: host.path }) }).toEqual(before);
    // The same programs: nothing was loaded.
    expect(two.status().places.map(({ generation }) => generation)).toEqual([1, 2, 2]);
    expect(await send(GOOD, 3, two, 'xdp', 5)).toEqual({ listed: 5, default: 0 });
    // What is no longer configured goes.
    two.configure([wanted('xdp', [denyBad, allow], xdp('here'))]);
    expect(readTcx({ interface: index('here'), direction: 'ingress', netns: host.path }).programs).toEqual([]);
    expect(PinDirectory.open(`${directory}/v1/lists`).list().pinned).toEqual([]);
    expect(PinDirectory.open(`${directory}/v1/hooks`).list().directories).toEqual(['xdp']);
  });

  it.each(['lists/bad-4', 'kept/events', 'hooks/xdp/kept/limits'])('binds programs to what it had to make anew (%s)', async (pin) => {
    const directory = pinDirectory(host.path);
    const limited = rule('limited', 'ip.src == 192.0.2.9', {
      kind: 'rate-limit',
      limit: { rate: 1, burst: 1, unit: 'packets', per: 'source' },
    });
    const hooks = (): WantedHook[] => [
      wanted('xdp', [rule('listed', 'ip.src in $bad', { kind: 'deny' }, { log: true }), limited, allow], xdp('here')),
    ];
    const one = engine(directory, host);
    one.openLists(hooks(), () => undefined);
    one.configure(hooks());
    one.apply([delta('bad', ['192.0.2.7/32'])]);
    while (one.nextDue() !== undefined) one.poll();
    one.close();
    const root = PinDirectory.open(`${directory}/v1`);
    const [folder = '', name = ''] = [pin.slice(0, pin.lastIndexOf('/')), pin.slice(pin.lastIndexOf('/') + 1)];
    const pins = folder.split('/').reduce((at, part) => at.at(part), root);
    const found = pins.list().pinned.find((one) => one.startsWith(name));
    expect(found).toBeDefined();
    pins.unpin(found ?? '');
    const two = engine(directory, host);
    two.openLists(hooks(), (set, family) => (set === 'bad' && family === 4 ? delta('bad', ['192.0.2.8/32']) : undefined));
    expect(two.configure(hooks()).problems).toEqual([]);
    const map = pins.map(found ?? '');
    const generation = root.at('hooks').at('xdp').at(`g${two.status().places[0]?.generation}`);
    const program = generation.program('program-xdp');
    expect(program?.info().mapIds).toContain(map?.info().id);
    for (const open of [map, program]) open?.close();
    const total = pin.startsWith('lists') ? { bad: { listed: 0, limited: 0, default: 1 } } : { bad: { listed: 1, limited: 0, default: 0 } };
    expect(await send(BAD, 1, two, 'xdp', 1)).toEqual(total.bad);
  });

  it('is refused while another manages the directory', () => {
    const directory = pinDirectory(host.path);
    const one = engine(directory, host);
    const again = () => Engine.open({ directory, netns: host.path, features: features(), now: () => 0 });
    expect(again).toThrow(`process ${process.pid} manages the eBPF programs in ${directory}`);
    expect(() => clearEbpf(directory)).toThrow('one Weir at a time');
    one.close();
    again().close();
  });
});
