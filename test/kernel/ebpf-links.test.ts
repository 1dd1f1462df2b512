import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  attachCgroup,
  attachNetfilter,
  attachTc,
  attachTcx,
  attachXdp,
  BpfLink,
  BpfMap,
  type BpfProgram,
  findCgroup2,
  listLinks,
  listTcFilters,
  readTcx,
  removeClsact,
  sumCpus,
  TcFilter,
} from '@weir/ebpf/kernel';
import { PacketSocket, setSocketFilter } from '@weir/sys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Host, Lab, type LabProcess, runCommand, waitFor } from '../lab/index.ts';
import { bpftool, counting, frame, keep, load, refused, returning, u32 } from './ebpf-bed.ts';

let lab: Lab;
let host: Host;
/** By name: a veth pair; the driver of lo has no XDP. */
const indices = new Map<string, number>();

beforeAll(async () => {
  lab = new Lab();
  host = await lab.host('links');
  await host.ip('link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'two');
  for (const name of ['one', 'two']) {
    await host.sysctl(`net.ipv6.conf.${name}.disable_ipv6`, 1);
    await host.ip('link', 'set', name, 'up');
  }
  await host.ip('address', 'add', '192.0.2.1/24', 'dev', 'one');
  await host.ip('neighbour', 'add', '192.0.2.2', 'lladdr', '02:00:00:00:00:02', 'dev', 'one');
  for (const link of JSON.parse(await host.ip('-j', 'link')) as { ifname: string; ifindex: number }[])
    indices.set(link.ifname, link.ifindex);
});
afterAll(() => lab.dispose());

function counter(name = 'seen'): BpfMap {
  return keep(BpfMap.create({ name, type: 'percpu_array', valueSize: 8, maxEntries: 1 }));
}

function count(map: BpfMap): number {
  return Number(sumCpus(map.lookup(u32(0))!, 8)[0]);
}

function program(type: 'xdp' | 'sched_cls', result: number, name = 'weir_a'): BpfProgram {
  return keep(load({ name, type }, returning(result)));
}

/** What `bpftool net` prints inside the namespace. */
async function net(): Promise<{ readonly xdp: readonly Record<string, unknown>[]; readonly tc: readonly Record<string, unknown>[] }> {
  const [all] = JSON.parse((await host.exec('bpftool', ['-j', 'net'])).stdout) as [Awaited<ReturnType<typeof net>>];
  return all;
}

/** Sends datagrams by way of `one`, through its queueing discipline. */
async function sendDatagrams(datagrams: number, map: BpfMap): Promise<number> {
  const before = count(map);
  await host.exec('bash', ['-c', `for ((i = 0; i < ${datagrams}; i++)); do echo x > /dev/udp/192.0.2.2/9; done`]);
  return count(map) - before;
}

/** Sends frames from `one`, which `two` receives; resolves when the maps have counted, or have not for a while. */
async function send(frames: number, map: BpfMap): Promise<number> {
  const before = count(map);
  const socket = PacketSocket.open({ interface: 'one', netns: host.path });
  socket.send(Array.from({ length: frames }, () => frame(64)));
  socket.close();
  for (let tries = 0; tries < 400 && count(map) < before + frames; tries++) await new Promise((resolve) => setTimeout(resolve, 5));
  return count(map) - before;
}

describe('XDP', () => {
  it('is native on veth: counted, replaced in place, detached', async () => {
    const seen = counter();
    const first = keep(load({ name: 'weir_first', type: 'xdp' }, counting('seen', 1), [seen]));
    const second = program('xdp', 1, 'weir_second');
    const two = indices.get('two')!;
    const attached = attachXdp(first, { interface: two, netns: host.path });
    const link = keep(attached.link);
    expect(attached.mode).toBe('native');
    const info = link.info();
    expect(info).toEqual({ kind: 'xdp', id: info.id, programId: first.info().id, interface: two });
    expect((await net()).xdp).toEqual([{ devname: 'two', ifindex: two, mode: 'driver', id: first.info().id }]);
    expect(await bpftool('link', 'show', 'id', String(info.id))).toMatchObject({ id: info.id, type: 'xdp', prog_id: first.info().id });
    expect(await send(100, seen)).toBe(100);
    link.update(second, first);
    expect(link.info().programId).toBe(second.info().id);
    expect(await send(10, seen)).toBe(0);
    expect(refused(() => link.update(first, first))).toMatchObject({ reason: 'changed' });
    expect(refused(() => attachXdp(second, { interface: two, netns: host.path })).reason).toBe('busy');
    expect(keep(BpfLink.fromId(info.id)).info()).toEqual(link.info());
    expect(listLinks()).toContainEqual(link.info());
    link.detach();
    expect((await net()).xdp).toEqual([]);
    expect(link.info()).toMatchObject({ interface: 0 });
    expect(refused(() => link.update(first)).operation).toBe('replace by');
  });

  it('falls back to generic where the driver has none, and says so', async () => {
    const lo = indices.get('lo')!;
    const attached = attachXdp(program('xdp', 2), { interface: lo, netns: host.path });
    keep(attached.link);
    expect(attached).toMatchObject({ mode: 'generic', why: 'its driver has no XDP (EOPNOTSUPP)' });
    expect((await net()).xdp).toMatchObject([{ devname: 'lo', mode: 'generic' }]);
    attached.link.close();
    const error = refused(() => attachXdp(program('xdp', 2), { interface: lo, netns: host.path, mode: 'native' }));
    expect(error).toMatchObject({ reason: 'unsupported', object: `program weir_a at xdp of interface ${lo}` });
    const generic = attachXdp(program('xdp', 2), { interface: indices.get('two')!, netns: host.path, mode: 'generic' });
    keep(generic.link);
    expect(generic).toMatchObject({ mode: 'generic', why: undefined });
    expect(refused(() => attachXdp(program('xdp', 2), { interface: 9999, netns: host.path })).reason).toBe('absent');
  });
});

describe('tcx', () => {
  it('orders programs, and changes only what is as expected', () => {
    const two = indices.get('two')!;
    const at = { interface: two, direction: 'ingress', netns: host.path } as const;
    const [a, b, c, d] = ['weir_a', 'weir_b', 'weir_c', 'weir_d'].map((name) => program('sched_cls', -1, name)) as [
      BpfProgram,
      BpfProgram,
      BpfProgram,
      BpfProgram,
    ];
    const link = keep(attachTcx(a, at));
    const { revision } = readTcx(at);
    keep(attachTcx(b, { ...at, position: 'first', revision }));
    keep(attachTcx(c, { ...at, position: { before: link.info().id } }));
    expect(readTcx(at).programs.map((one) => one.programId)).toEqual([b, c, a].map((one) => one.info().id));
    expect(readTcx(at).programs[2]?.linkId).toBe(link.info().id);
    expect(refused(() => attachTcx(d, { ...at, revision }))).toMatchObject({ reason: 'changed' });
    expect(link.info()).toEqual({ kind: 'tcx', id: link.info().id, programId: a.info().id, interface: two, attachType: 'tcx_ingress' });
    link.update(d, a);
    expect(readTcx(at).programs[2]?.programId).toBe(d.info().id);
    link.detach();
    expect(readTcx(at).programs).toHaveLength(2);
    expect(readTcx({ ...at, direction: 'egress' }).programs).toEqual([]);
  });

  it.each(['ingress', 'egress'] as const)('%s sees packets', async (direction) => {
    const seen = counter();
    const one = keep(load({ name: 'weir_seen', type: 'sched_cls' }, counting('seen', 0xffff_ffff | 0), [seen]));
    const device = direction === 'ingress' ? 'two' : 'one';
    const attached = attachTc(one, { interface: indices.get(device)!, direction, netns: host.path, priority: 1 });
    expect(attached.kind).toBe('tcx');
    if (attached.kind === 'tcx') keep(attached.link);
    expect(await (direction === 'ingress' ? send : sendDatagrams)(50, seen)).toBe(50);
  });
});

describe('clsact', () => {
  it.each(['ingress', 'egress'] as const)('%s sees packets, is replaced in place and listed', async (direction) => {
    const seen = counter();
    const next = counter('next');
    const device = direction === 'ingress' ? 'two' : 'one';
    const at = { interface: indices.get(device)!, direction, netns: host.path } as const;
    const one = keep(load({ name: 'weir_seen', type: 'sched_cls' }, counting('seen', 0), [seen]));
    const two = keep(load({ name: 'weir_next', type: 'sched_cls' }, counting('next', 0), [next]));
    const attached = attachTc(one, { ...at, priority: 7, way: 'clsact' });
    if (attached.kind !== 'clsact') throw new Error(attached.kind);
    expect(attached.why).toBeUndefined();
    const traffic = direction === 'ingress' ? send : sendDatagrams;
    expect(await traffic(50, seen)).toBe(50);
    expect((await net()).tc).toEqual([
      { devname: device, ifindex: at.interface, kind: `clsact/${direction}`, name: 'weir_seen', id: one.info().id },
    ]);
    expect(refused(() => TcFilter.attach(two, { ...at, priority: 7 }))).toMatchObject({ reason: 'exists' });
    attached.filter.replace(two);
    expect([await traffic(50, next), count(seen)]).toEqual([50, 50]);
    expect(attached.filter.info()).toEqual({ priority: 7, handle: 1, name: 'weir_next', programId: two.info().id });
    const beside = TcFilter.attach(one, { ...at, priority: 3 });
    expect(listTcFilters(at).map((found) => found.priority)).toEqual([3, 7]);
    expect(removeClsact(at)).toBe(false);
    expect([beside.detach(), beside.detach(), TcFilter.at({ ...at, priority: 7 }).detach()]).toEqual([true, false, true]);
    expect(attached.filter.info()).toBeUndefined();
    expect([removeClsact(at), removeClsact(at), attached.filter.detach()]).toEqual([true, false, false]);
    expect(await host.exec('tc', ['qdisc', 'show', 'dev', device])).not.toContain('clsact');
    expect(listTcFilters(at)).toEqual([]);
  });

  it('refuses an interface that is not there', () => {
    const error = refused(() =>
      TcFilter.attach(program('sched_cls', 0), { interface: 9999, direction: 'ingress', netns: host.path, priority: 1 }),
    );
    expect(error).toMatchObject({ reason: 'absent', operation: 'prepare' });
  });
});

describe('a cgroup', () => {
  const path = join(findCgroup2() ?? '', `weir-test-${process.pid}`);
  /** In the cgroup and the namespace: reads `PROTOCOL ADDRESS` from its input, connects or sends there, and prints what came of it. */
  const code = `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const [protocol, address] = line.split(' ');
    const say = (error) => console.log(error ? error.code : 'ok');
    if (protocol === 'tcp') require('node:net').connect(9, address).on('error', say).on('connect', () => say());
    else require('node:dgram').createSocket(protocol).send('x', 9, address, say);
  });`;
  let inside: LabProcess;
  beforeAll(() => {
    mkdirSync(path);
    inside = host.spawn('sh', ['-c', 'echo $$ > "$0/cgroup.procs"; exec "$1" -e "$2"', path, process.execPath, code]);
  });
  afterAll(async () => {
    await inside.close();
    rmdirSync(path);
  });

  async function act(line: string): Promise<string> {
    const before = inside.stdout.length;
    inside.write(`${line}\n`);
    return await waitFor(`an answer to ${line}`, async () => inside.stdout.slice(before).trim() || undefined, { intervalMs: 2 });
  }

  it.each([
    { type: 'cgroup_inet4_connect', line: 'tcp 127.0.0.1', free: 'ECONNREFUSED' },
    { type: 'cgroup_inet6_connect', line: 'tcp ::1', free: 'ECONNREFUSED' },
    { type: 'cgroup_udp4_sendmsg', line: 'udp4 127.0.0.1', free: 'ok' },
    { type: 'cgroup_udp6_sendmsg', line: 'udp6 ::1', free: 'ok' },
  ] as const)('$type refuses with EPERM what it denies, and is replaced in place', async ({ type, line, free }) => {
    const spec = { type: 'cgroup_sock_addr', attachType: type } as const;
    const deny = keep(load({ name: 'weir_deny', ...spec }, returning(0)));
    const allow = keep(load({ name: 'weir_allow', ...spec }, returning(1)));
    const link = keep(attachCgroup(deny, path, type));
    const info = link.info();
    expect(info).toMatchObject({ kind: 'cgroup', programId: deny.info().id, attachType: type });
    expect(await bpftool('link', 'show', 'id', String(info.id))).toMatchObject({ type: 'cgroup', prog_id: deny.info().id });
    expect(await act(line)).toBe('EPERM');
    link.update(allow, deny);
    expect(await act(line)).toBe(free);
    link.update(deny);
    link.detach();
    expect(await act(line)).toBe(free);
  });

  it('has to be one', () => {
    const spec = { type: 'cgroup_sock_addr', attachType: 'cgroup_inet4_connect' } as const;
    const deny = keep(load({ name: 'weir_deny', ...spec }, returning(0)));
    expect(refused(() => attachCgroup(deny, '/tmp', 'cgroup_inet4_connect'))).toMatchObject({ reason: 'invalid' });
    expect(refused(() => attachCgroup(deny, join(path, 'none'), 'cgroup_inet4_connect'))).toMatchObject({
      reason: 'absent',
      operation: 'open',
    });
  });
});

describe('netfilter', () => {
  it('judges at a hook, beside others by priority', async () => {
    const seen = counter();
    const one = keep(load({ name: 'weir_nf', type: 'netfilter', attachType: 'netfilter' }, counting('seen', 0), [seen]));
    const options = { family: 'ip', hook: 'output', priority: -150, netns: host.path } as const;
    const link = keep(attachNetfilter(one, options));
    expect(link.info()).toMatchObject({ kind: 'netfilter', family: 2, hook: 3, priority: -150, flags: 0 });
    const send = async (): Promise<string> =>
      (await host.exec('bash', ['-c', 'LC_ALL=C; echo x > /dev/udp/127.0.0.1/9'], { allowFailure: true })).stderr;
    expect(await send()).toContain('not permitted');
    expect(count(seen)).toBe(1);
    expect(refused(() => attachNetfilter(one, options))).toMatchObject({ reason: 'busy' });
    expect(refused(() => link.update(one))).toMatchObject({ reason: 'unsupported' });
    const second = keep(attachNetfilter(one, { ...options, priority: -151 }));
    link.close();
    second.close();
    expect([await send(), count(seen)]).toEqual(['', 1]);
  });
});

describe('a socket', () => {
  it('receives what its filter lets through', async () => {
    const seen = counter();
    const filter = keep(load({ name: 'weir_filter', type: 'socket_filter' }, counting('seen', 0), [seen]));
    const socket = keep(PacketSocket.open({ interface: 'two', netns: host.path, receive: true }));
    expect(await receive(socket)).toBe(20);
    filter.attachToSocket(socket.descriptor);
    expect(await receive(socket, seen)).toBe(0);
    expect(count(seen)).toBe(20);
    setSocketFilter(socket.descriptor, undefined);
    expect(await receive(socket)).toBe(20);
    expect(refused(() => program('xdp', 1).attachToSocket(socket.descriptor)).reason).toBe('invalid');
  });

  async function receive(socket: PacketSocket, seen?: BpfMap): Promise<number> {
    const sender = PacketSocket.open({ interface: 'one', netns: host.path });
    sender.send(Array.from({ length: 20 }, () => frame(64)));
    sender.close();
    const buffer = new Uint8Array(256);
    let got = 0;
    for (let tries = 0; tries < 400 && got < 20 && (seen === undefined || count(seen) < 20); tries++) {
      while (socket.receive(buffer)) got++;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return got;
  }
});

it('nothing of this is left in the machine', async () => {
  const { stdout } = await runCommand('bpftool', ['-j', 'net']);
  expect(stdout).not.toContain('weir_');
});
