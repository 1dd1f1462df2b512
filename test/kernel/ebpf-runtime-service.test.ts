import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listInterfaces, PinDirectory, readTcx } from '@weir/ebpf/kernel';
import { DirectoryLock, PacketSocket } from '@weir/sys';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { clearEbpf } from '../../apps/weir/src/kernel/ebpf/index.ts';
import type { Config } from '../../apps/weir/src/model/config.ts';
import type { KernelPort, KernelStatus } from '../../apps/weir/src/model/kernel-port.ts';
import { type Host, runCommand, waitFor } from '../lab/index.ts';
import { udp4 } from './ebpf-limits-bed.ts';
import { bpfMount, delta, mountBpf } from './ebpf-runtime-bed.ts';
import { KernelPortBed } from './kernel-port-bed.ts';

mountBpf();

let bed: KernelPortBed;
let host: Host;
let pins: string;
let out: PacketSocket;
const config = (text: string): Config => bed.config(text);
const open = (): Promise<KernelPort> => bed.open();

beforeEach(async () => {
  bed = await KernelPortBed.create();
  host = bed.host;
  await host.ip('link', 'add', 'here', 'type', 'veth', 'peer', 'name', 'there');
  for (const name of ['here', 'there']) {
    await host.sysctl(`net.ipv6.conf.${name}.disable_ipv6`, 1);
    await host.ip('link', 'set', name, 'up');
  }
  out = PacketSocket.open({ interface: 'there', netns: host.path });
  pins = join(bpfMount(), 'weir');
});
afterEach(async () => {
  await bed.closePorts();
  clearEbpf(pins, host.path);
  out.close();
  await bed.close();
});

const BGP = `
bgp: { as: 64512, router_id: 192.0.2.1, peers: [{ name: core, address: 192.0.2.2, as: 64512 }] }
`;
const SETS = `${BGP}sets:
  bad: { kind: deny, communities: ["64512:666"], guard: { peers: [core], prefixes: [192.0.2.0/24] }, on_session_loss: hold forever }
`;
const WITH = (rules: string, ebpf = 'xdp: { interfaces: [here], on_exit: detach }') => `${SETS}
policy: [policy.yaml]
ebpf: { pin_directory: ${pins}, ${ebpf} }
---
default_action: allow
rules:
${rules}`;

const xdpOf = (name: string) => listInterfaces(host.path).find((one) => one.name === name)?.xdp;
const LISTED = '  - { name: listed, hook: xdp, expression: "ip.src in $bad", action: deny }';
const DENY = '  - { name: seven, hook: xdp, source_cidrs: [192.0.2.7], action: deny }';

async function counted(port: KernelPort, rule: string, packets: number): Promise<KernelStatus> {
  return await waitFor(
    `${packets} packets of ${rule}`,
    async () => {
      const status = await port.status();
      return status.rules.some((one) => one.rule === rule && one.packets === packets) ? status : undefined;
    },
    { intervalMs: 10 },
  );
}

describe('the kernel worker', () => {
  it('attaches what the configuration says, changes members and rules, and takes it off at its end', async () => {
    const port = await open();
    expect(await port.configure(config(WITH(LISTED)))).toEqual([]);
    const status = await port.status();
    expect(status.problems).toEqual([]);
    expect(status.ebpf).toMatchObject({
      directory: pins,
      places: [{ hook: 'xdp', place: 'xdp of here', way: 'native', why: undefined, generation: 1 }],
    });
    await port.apply([delta('bad', ['192.0.2.7/32'], true)]);
    out.send(Array.from({ length: 3 }, () => udp4(0xc0000207)));
    await counted(port, 'listed', 3);
    await port.configure(config(WITH(`${DENY}\n${LISTED}`)));
    out.send([udp4(0xc0000207)]);
    const after = await counted(port, 'seven', 1);
    expect(after.rules.find(({ rule }) => rule === 'listed')).toEqual({ chain: 'xdp', rule: 'listed', packets: 3, bytes: 84 });
    expect(after.ebpf?.lists.find(({ family }) => family === 4)).toMatchObject({ set: 'bad', members: 1, leftOut: 0 });
    await port.close({ clear: false });
    expect(xdpOf('here')).toBeUndefined();
  });

  it('takes members while it takes hundreds of rules; each is judged by what came last', async () => {
    const many = (from: number, count: number) =>
      Array.from(
        { length: count },
        (_, i) => `  - { name: r${from + i}, hook: xdp, source_cidrs: [10.0.${(from + i) >> 8}.${(from + i) & 255}], action: deny }`,
      );
    const port = await open();
    await port.configure(config(WITH([LISTED, ...many(0, 600)].join('\n'))));
    for (const rules of [
      [DENY, LISTED, ...many(0, 600)],
      [LISTED, ...many(100, 500), DENY],
      [LISTED, ...many(0, 700)],
    ]) {
      const text = WITH(rules.join('\n'));
      let going = true;
      const taken = port.configure(config(text)).then(() => {
        going = false;
      });
      let members = 0;
      for (; going || members % 2 === 1; members++) {
        const reports = port.apply([delta('bad', [members % 2 === 0 ? '192.0.2.9/32' : '-192.0.2.9/32'])]);
        expect(await reports).toMatchObject({ ok: true });
      }
      await taken;
      expect(members).toBeGreaterThan(1);
      const status = await port.status();
      expect(status.problems).toEqual([]);
      const names = status.rules.map(({ rule }) => rule).filter((rule) => /^(?:seven|listed|r\d+)$/.test(rule));
      expect(names).toEqual(rules.map((rule) => /name: (\w+)/.exec(rule)?.[1]));
      expect(status.ebpf?.lists.find(({ family }) => family === 4)).toMatchObject({ set: 'bad', members: 0 });
    }
    await port.apply([delta('bad', ['192.0.2.7/32'])]);
    out.send([udp4(0xc0000207), udp4(0x0a0002bb)]);
    await counted(port, 'listed', 1);
    await counted(port, 'r699', 1);
    await port.close({ clear: false });
  });

  it('leaves it judging where that is what the configuration says, and goes on from there', async () => {
    const text = WITH(LISTED, 'xdp: { interfaces: [here] }, tc: { ingress: [here], on_exit: detach }');
    const first = await open();
    await first.configure(config(text));
    await first.apply([delta('bad', ['192.0.2.7/32'], true)]);
    await first.close({ clear: false });
    const kept = xdpOf('here');
    expect(kept?.mode).toBe('native');
    out.send([udp4(0xc0000207)]);
    const next = await open();
    const found = await next.configure(config(text));
    expect(found.find(({ set, family, count }) => set === 'bad' && family === 4 && count === 1)).toBeDefined();
    expect(xdpOf('here')).toEqual(kept);
    expect((await next.status()).problems).toEqual([]);
    await counted(next, 'listed', 1);
    // Nothing of eBPF in the configuration: what is there goes.
    await next.configure(config(BGP));
    expect(xdpOf('here')).toBeUndefined();
    expect(existsSync(pins)).toBe(false);
    expect((await next.status()).ebpf).toBeUndefined();
  });

  it('does what it could not when a file system is mounted later', async () => {
    const late = mkdtempSync(join(tmpdir(), 'weir-late-'));
    onTestFinished(() => rmSync(late, { recursive: true, force: true }));
    const text = WITH(DENY).replace(pins, join(late, 'weir'));
    const port = await open();
    await port.configure(config(text));
    expect((await port.status()).problems).toMatchObject([{ subject: join(late, 'weir') }]);
    expect(xdpOf('here')).toBeUndefined();
    await runCommand('mount', ['-t', 'bpf', 'bpf', late]);
    onTestFinished(async () => void (await runCommand('umount', [late])));
    await waitFor('the attachment', async () => xdpOf('here'));
    expect((await port.status()).problems).toEqual([]);
    out.send([udp4(0xc0000207)]);
    await counted(port, 'seven', 1);
    await port.close({ clear: true });
    expect(xdpOf('here')).toBeUndefined();
  });

  it('moves to another pin directory by the same link', async () => {
    const port = await open();
    const text = WITH(DENY.replace('hook: xdp', 'hook: tc'), 'tc: { ingress: [here] }');
    await port.configure(config(text));
    const programs = () => {
      const index = listInterfaces(host.path).find(({ name }) => name === 'here')!.index;
      return readTcx({ interface: index, direction: 'ingress', netns: host.path }).programs;
    };
    const [before] = programs();
    await port.configure(config(text.replaceAll(pins, `${pins}-2`)));
    expect((await port.status()).problems).toEqual([]);
    expect(programs()).toEqual([{ linkId: before?.linkId, programId: expect.any(Number) as number }]);
    expect(programs()[0]?.programId).not.toBe(before?.programId);
    expect(PinDirectory.open(pins).list().directories).toEqual([]);
    await port.close({ clear: true });
    expect([programs(), existsSync(`${pins}-2`)]).toEqual([[], false]);
  });

  it('tells what it waits for, and goes on when it is there', async () => {
    const port = await open();
    await port.configure(config(WITH(DENY, 'xdp: { interfaces: [late] }')));
    expect((await port.status()).problems).toMatchObject([
      { kind: 'place-missing', subject: 'xdp of late', message: 'there is no interface late' },
    ]);
    await host.ip('link', 'add', 'late', 'type', 'veth', 'peer', 'name', 'late-peer');
    await waitFor('the program', async () => (xdpOf('late') ? true : undefined), { intervalMs: 10 });
    await waitFor('no problem', async () => ((await port.status()).problems.length === 0 ? true : undefined), { intervalMs: 10 });
    expect(bed.events.filter(({ kind }) => kind === 'problem' || kind === 'problem-over').map(({ kind }) => kind)).toEqual([
      'problem',
      'problem-over',
    ]);
    await port.close({ clear: true });
    expect(xdpOf('late')).toBeUndefined();
    expect(existsSync(pins)).toBe(false);
  });

  it('waits for another Weir to end', async () => {
    const port = await open();
    const other = config(WITH(DENY));
    PinDirectory.open(pins);
    const lock = DirectoryLock.take(pins);
    await port.configure(other);
    expect((await port.status()).problems).toMatchObject([
      { kind: 'engine-busy', message: `process ${process.pid} manages the eBPF programs in ${pins}: one Weir at a time can` },
    ]);
    expect(xdpOf('here')).toBeUndefined();
    lock?.close();
    await waitFor('the program', async () => (xdpOf('here') ? true : undefined), { intervalMs: 10 });
    expect((await port.status()).problems).toEqual([]);
  });
});
