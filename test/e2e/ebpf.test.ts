import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BpfMap, findCgroup2, PinDirectory } from '@weir/ebpf/kernel';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Host, type LabProcess, runCommand, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { addresses as at } from './addresses.ts';
import { buildGate, type Gate, gatePeer } from './gate.ts';
import { Weir } from './weir.ts';

const EXAMPLES = new URL('../../examples/ebpf/', import.meta.url).pathname;
const BLACKHOLE = '65535:666';

let mounted = '';

beforeAll(async () => {
  mounted = mkdtempSync(join(tmpdir(), 'weir-e2e-bpffs-'));
  await runCommand('mount', ['-t', 'bpf', 'bpf', mounted]);
});

// What is pinned goes with the file system.
afterAll(async () => {
  await runCommand('umount', [mounted]);
  rmdirSync(mounted);
});

interface Setup extends Gate {
  readonly weir: Weir;
  readonly pins: string;
  readonly caller: Caller;
  /** Writes the policy's file anew. */
  write(change: (text: string) => string): void;
}

/** Reads `ADDRESS PORT` from its input, connects there, and prints what came of it. */
const CALLER = `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const [address, port] = line.split(' ');
  const socket = require('node:net').connect(Number(port), address);
  const say = (text) => { console.log(text); socket.destroy(); };
  socket.on('error', (error) => say(error.code)).on('connect', () => say('connected'));
});`;

/** A process in a cgroup of the test's. */
class Caller {
  readonly path: string;
  readonly #process: LabProcess;

  constructor(host: Host, name: string) {
    this.path = join(findCgroup2() ?? '', `weir-e2e-${name}-${process.pid}`);
    mkdirSync(this.path);
    onTestFinished(async () => {
      await this.#process.close();
      rmdirSync(this.path);
    });
    this.#process = host.spawn('sh', ['-c', 'echo $$ > "$0/cgroup.procs"; exec "$1" -e "$2"', this.path, process.execPath, CALLER]);
  }

  async connect(address: string, port: number): Promise<string> {
    const before = this.#process.stdout.length;
    this.#process.write(`${address} ${port}\n`);
    return await waitFor('an answer', async () => this.#process.stdout.slice(before).trim() || undefined, { intervalMs: 5 });
  }
}

/** The example, with the namespaces, the peer and the cgroup of the test. */
async function start(name: string, change: (config: string) => string = (text) => text, other?: string): Promise<Setup> {
  const lab = labForTest();
  const gate = await buildGate(lab);
  gate.peer.start();
  const { core } = gate;
  const caller = new Caller(core, name);
  const file = `${lab.directory('policy')}/policy.yaml`;
  const policy = other ?? readFileSync(`${EXAMPLES}policy.yaml`, 'utf8');
  writeFileSync(file, policy);
  const pins = join(mounted, name);
  const config = readFileSync(`${EXAMPLES}weir.yaml`, 'utf8')
    .replace(/ {4}- { name: scrubber.*/, `    - ${gatePeer}`)
    .replace('peers: [scrubber]', 'peers: [cluster]')
    .replace('cgroup: /sys/fs/cgroup', `cgroup: ${caller.path}`)
    .replace('ebpf:\n', `ebpf:\n  pin_directory: ${pins}\n`)
    .replace('policy: policy.yaml', `policy: ${file}`);
  const weir = new Weir(lab, core, change(config));
  await weir.start();
  for (const port of [22, 80]) await core.tcpServer(at.border.v4, port);
  await gate.internet.tcpServer(at.internet.v4, 25);
  await gate.internet.tcpServer(at.internet.v4, 80);
  return { ...gate, weir, pins, caller, write: (edit) => writeFileSync(file, edit(policy)) };
}

async function becomes(from: Host, port: number, outcome: 'connected' | 'timeout'): Promise<void> {
  await waitFor(`port ${port}: ${outcome}`, async () => (await from.tcpConnect(at.border.v4, port, 300)) === outcome, {
    timeoutMs: 60_000,
  });
}

/** Packets of a rule at a hook. */
async function counted(weir: Weir, hook: string, rule: string): Promise<number> {
  const rules = (await weir.status()).kernel.rules.filter((one) => one.chain === hook && one.rule === rule);
  return rules.reduce((sum, { packets }) => sum + packets, 0);
}

async function places(weir: Weir): Promise<readonly string[]> {
  return ((await weir.status()).kernel.ebpf?.places ?? []).map(({ place, way }) => `${place}: ${way === undefined ? 'no' : 'yes'}`);
}

test('sources that routes name are dropped at xdp, DNS is limited at tc, processes are denied at connect', async () => {
  const { internet, peer, weir, caller, core } = await start('rules');
  await weir.established(1);
  await waitFor('every attachment', async () => {
    const all = await places(weir);
    return all.length === 7 && all.every((one) => one.endsWith('yes'));
  });
  const held = await internet.tcpHold(at.border.v4, 22);
  expect(await held?.echo('before')).toBe('echo');
  // nf_tables judges what the programs let through.
  expect(await internet.tcpConnect(at.border.v4, 80, 300)).toBe('timeout');

  peer.announce([`${at.internet.v4}/32`], [BLACKHOLE]);
  await becomes(internet, 22, 'timeout');
  // At xdp a source that is denied is denied whatever it has begun.
  expect(await held?.echo('after', 300)).not.toBe('echo');
  expect(await counted(weir, 'xdp', 'attackers')).toBeGreaterThan(0);
  const explained = await weir.command('explain', '--socket', weir.socket, 'tcp', at.internet.v4, `${at.border.v4}:22`, 'in', 'eth0');
  expect(explained.stdout).toContain('DENY BY attackers#1000');
  expect(explained.stdout).toContain(`${at.internet.v4}/32 is in $attackers from cluster with ${BLACKHOLE}`);
  peer.withdraw([`${at.internet.v4}/32`]);
  await becomes(internet, 22, 'connected');

  const dns = await core.udpSocket(at.border.v4, 53);
  const client = await internet.udpSocket(at.internet.v4, 0);
  const began = performance.now();
  await Promise.all(Array.from({ length: 1000 }, (_, i) => client.send(at.border.v4, 53, `question ${i}`)));
  await waitFor('packets up to the limit', async () => (await dns.count()) >= 200);
  // 200 at once, and 100 for each second that sending took.
  const heard = await dns.count();
  expect(heard).toBeLessThanOrEqual(201 + (performance.now() - began) / 10);
  expect(heard).toBeLessThan(1000);
  await dns.close();
  await client.close();

  expect(await caller.connect(at.internet.v4, 25)).toBe('EPERM');
  expect(await caller.connect(at.internet.v4, 80)).toBe('connected');
  expect(await core.tcpConnect(at.internet.v4, 25)).toBe('connected');
  expect(await counted(weir, 'connect', 'no-mail')).toBe(1);

  const status = (await weir.command('status', '--socket', weir.socket)).stdout;
  expect(status).toMatch(/^ebpf +7 of 7 places attached/m);
  expect(status).toMatch(/^ {2}xdp of eth0: (?:native|generic), generation \d+/m);
  expect((await weir.command('rules', '--socket', weir.socket, '--hook', 'xdp')).stdout).toMatch(/^xdp:\n {2}base not ip allow/);
  expect((await weir.command('counters', '--socket', weir.socket)).stdout).toMatch(/ {2}no-mail \(connect\)$/m);
  await held?.close();
});

test('a change of the rules, a crash, a restart, and what is left after weir clear', async () => {
  const { internet, peer, weir, pins, core, write } = await start('life');
  await weir.established(1);
  peer.announce([`${at.internet.v4}/32`], [BLACKHOLE]);
  await becomes(internet, 22, 'timeout');
  const before = await counted(weir, 'xdp', 'attackers');
  const generations = async (): Promise<readonly (number | undefined)[]> =>
    ((await weir.status()).kernel.ebpf?.places ?? []).map(({ generation }) => generation);
  const first = await generations();

  await weir.kill();
  expect(await internet.tcpConnect(at.border.v4, 22, 300)).toBe('timeout');
  await weir.start();
  expect(await internet.tcpConnect(at.border.v4, 22, 300)).toBe('timeout');
  // The programs are those of before, and so are their counters.
  expect(await generations()).toEqual(first);
  expect(await counted(weir, 'xdp', 'attackers')).toBeGreaterThan(before);

  write((text) => text.replace('source_cidrs: $attackers\n    action: deny', 'source_cidrs: $attackers\n    action: log'));
  const plan = await weir.command('plan', '--socket', weir.socket);
  expect(plan.stdout).toContain('~ xdp attackers#1000: action deny -> log');
  await weir.reload();
  await becomes(internet, 22, 'connected');
  write((text) => text);
  await weir.reload();
  await becomes(internet, 22, 'timeout');

  // on_exit: keep
  await weir.stop();
  expect(await internet.tcpConnect(at.border.v4, 22, 300)).toBe('timeout');
  await weir.start();
  const refused = await weir.clear();
  expect(refused.stderr).toContain('a daemon answers at');
  // A daemon that is not where the configuration says is found by what it manages, before anything is taken out.
  const managed = await weir.clear('--socket', join(pins, 'none'));
  expect([managed.code, managed.stderr]).toEqual([1, expect.stringContaining('manages the eBPF programs in')]);
  expect(managed.stdout).toBe('');
  expect(await core.nftList('tables')).toContain('weir');
  await weir.stop();

  // What is not Weir's stays.
  const foreign = PinDirectory.open(join(pins, 'foreign'));
  const map = BpfMap.create({ name: 'foreign', type: 'array', keySize: 4, valueSize: 4, maxEntries: 1 });
  foreign.pin(map, 'map');
  map.close();
  await core.nft('table inet foreign {\n chain input {\n  type filter hook input priority 0\n }\n}\n');
  const cleared = await weir.clear();
  expect(cleared.stdout).toMatch(/^ebpf: [1-9]\d* detached, [1-9]\d* pins/m);
  expect(await internet.tcpConnect(at.border.v4, 22, 300)).toBe('connected');
  expect(await internet.tcpConnect(at.border.v4, 80, 300)).toBe('connected');
  expect(await core.nftList('tables')).toBe('table inet foreign\n');
  expect(PinDirectory.open(pins).list()).toEqual({ pinned: [], directories: ['foreign'] });
  foreign.remove();
  expect((await weir.clear()).stdout).toContain('ebpf: 0 detached, 0 pins');
  expect(existsSync(pins)).toBe(false);
});

test('on_exit: detach takes the programs of a hook off', async () => {
  const { internet, weir, caller } = await start('exit', (text) =>
    text.replace('interfaces: [eth0] }', 'interfaces: [eth0], on_exit: detach }'),
  );
  await waitFor('every attachment', async () => (await places(weir)).filter((one) => one.endsWith('yes')).length === 7);
  expect((await internet.exec('ip', ['-j', 'link'])).stdout).not.toBe('');
  await weir.stop();
  const links = (await weir.host.exec('ip', ['link', 'show', 'eth0'])).stdout;
  expect(links).not.toContain('xdp');
  expect(await caller.connect(at.internet.v4, 25)).toBe('EPERM');
});

test('a default deny at xdp and tc leaves what a host needs: replies, neighbours, the BGP peer', async () => {
  const policy = `default_action: deny
rules:
  - { name: ssh, hook: [xdp, tc, input], in_interface: eth0, protocol: tcp, destination_ports: 22, action: allow }
  - { name: out, hook: tc, out_interface: eth0, protocol: tcp, destination_ports: 80, action: allow }
  - { name: listed, hook: xdp, priority: 1, source_cidrs: $attackers, action: deny }
`;
  const attach = (text: string): string =>
    text.replace('xdp: { interfaces: [eth0] }', 'xdp: { interfaces: [eth0, bgp0] }').replace(/ {2}connect: .*/, '');
  const { internet, core, weir } = await start('deny', attach, policy);
  await waitFor('every attachment', async () => (await places(weir)).filter((one) => one.endsWith('yes')).length === 4);
  await internet.tcpServer(at.internet.v6, 80);
  await internet.tcpServer(at.internet.v6, 81);
  await core.tcpServer(at.border.v6, 22);
  // Neighbours are forgotten: ARP and neighbour discovery have to get through.
  for (const host of [core, internet]) await host.ip('neigh', 'flush', 'all');
  expect(await internet.tcpConnect(at.border.v4, 22)).toBe('connected');
  expect(await internet.tcpConnect(at.border.v6, 22)).toBe('connected');
  expect(await core.tcpConnect(at.internet.v4, 80)).toBe('connected');
  expect(await core.tcpConnect(at.internet.v6, 80)).toBe('connected');
  // What no rule names: in, at xdp; out, at tc.
  expect(await internet.tcpConnect(at.border.v4, 80, 300)).toBe('timeout');
  expect(await counted(weir, 'xdp', '<default>')).toBeGreaterThan(0);
  expect(await core.tcpConnect(at.internet.v6, 81, 300)).toBe('timeout');
  expect(await counted(weir, 'tc', '<default>')).toBeGreaterThan(0);
  // Longer than the hold time of three seconds: it goes on.
  await waitFor('keepalives of the peer', async () => (await counted(weir, 'xdp', 'base bgp cluster')) > 5);
  await weir.established(1);
  expect((await weir.status()).kernel.problems).toEqual([]);
});

test('a change that nobody confirms is taken back when the daemon is gone, programs too', async () => {
  const { internet, weir, write } = await start('back', (text) =>
    text.replace('interfaces: [eth0] }', 'interfaces: [eth0], on_exit: detach }'),
  );
  await becomes(internet, 22, 'connected');
  write((text) => text.replace('source_cidrs: $bogons', 'source_cidrs: 198.51.100.0/24'));
  await weir.command('apply', '--socket', weir.socket, '--confirm-timeout', '8s');
  await becomes(internet, 22, 'timeout');
  await weir.kill();
  expect(await internet.tcpConnect(at.border.v4, 22, 300)).toBe('timeout');
  await becomes(internet, 22, 'connected');
  // Taken back is not taken off.
  expect((await weir.host.exec('ip', ['link', 'show', 'eth0'])).stdout).toContain('xdp');
  await weir.start();
  await waitFor('every attachment', async () => (await places(weir)).filter((one) => one.endsWith('yes')).length === 7);
  expect(await internet.tcpConnect(at.border.v4, 22)).toBe('connected');
});

test('weir restore attaches what was in force at the boot before, with the members of its sets, and the daemon takes it over', async () => {
  const { internet, peer, weir, core, caller } = await start('boot', (text) =>
    text.replace('interfaces: [eth0] }', 'interfaces: [eth0, late0], on_exit: detach }'),
  );
  await weir.established(1);
  peer.announce([`${at.internet.v4}/32`], [BLACKHOLE]);
  await becomes(internet, 22, 'timeout');
  await weir.stop();
  // What a machine loses when it goes down.
  await weir.clear('--ebpf');
  await becomes(internet, 22, 'connected');

  const restored = await weir.restore();
  expect(restored.stdout).toMatch(/^attached xdp of eth0 \((?:native|generic)\)$/m);
  expect(restored.stdout).toMatch(/^attached connect4 of .* \(cgroup\)$/m);
  expect(restored.stderr).toContain('xdp of late0: there is no interface late0: weir run attaches it when it can');
  expect(await internet.tcpConnect(at.border.v4, 22, 300)).toBe('timeout');
  expect(await caller.connect(at.internet.v4, 25)).toBe('EPERM');
  const programs = async () => (await core.exec('ip', ['-d', 'link', 'show', 'eth0'])).stdout.match(/prog\/xdp id \d+/)?.[0];
  const before = await programs();
  expect(before).toBeDefined();
  // Again changes nothing.
  await weir.restore();
  expect(await programs()).toBe(before);

  await weir.start();
  expect(await programs()).toBe(before);
  expect(await internet.tcpConnect(at.border.v4, 22, 300)).toBe('timeout');
  expect((await weir.status()).kernel.problems.map(({ kind }) => kind)).toEqual(['place-missing']);
  await core.ip('link', 'add', 'late0', 'type', 'veth', 'peer', 'name', 'late1');
  await waitFor('the late interface', async () => (await places(weir)).includes('xdp of late0: yes'));
  // Beside a daemon there is nothing to restore, whether its socket is known or not.
  await expect(weir.restore()).rejects.toThrow(`error: a daemon answers at ${weir.socket}: it has restored`);
  await expect(weir.restore(weir.socket.replace('.sock', '.other'))).rejects.toThrow('manages the eBPF programs in');
});
