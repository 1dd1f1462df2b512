import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BgpSpeaker, type PeerConfig, StaticRoutes } from '@weir/bgp/session';
import { asn, ip4, type Prefix, parseIp, prefix, prefixFromWords, printPrefix } from '@weir/wire/inet';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ControlClient } from '../api/index.ts';
import { memoryIo } from '../cli/memory-io.ts';
import { runProgram } from '../cli/program.ts';
import type { Config } from '../model/config.ts';
import type { CommitReport, KernelEvent, KernelPort } from '../model/kernel-port.ts';
import type { MemberColumns, MemberDelta } from '../model/member-delta.ts';
import { openLog } from '../observe/index.ts';
import { chooseStart } from './choose-start.ts';
import { Daemon } from './daemon.ts';
import type { DaemonOptions, Scheduling, SchedulingParts } from './daemon-options.ts';
import { GenerationStore } from './generations/index.ts';
import { loadDaemonConfig, loadGeneration } from './load-daemon-config.ts';
import { Notifier } from './notifier.ts';

/** A kernel in memory: what it was told to have. Outlives the daemon, as the kernel does. */
class MemoryKernel {
  readonly sets = new Map<string, Set<string>>();
  configured: Config[] = [];
  commits = 0;
  cleared = false;

  open(events: (event: KernelEvent) => void): KernelPort {
    return {
      flows: async () => undefined,
      watch: async () => undefined,
      configure: async (config) => {
        const before = this.configured.at(-1);
        this.configured.push(config);
        for (const name of [...this.sets.keys()]) if (!config.sets.some((s) => s.name === name)) this.sets.delete(name);
        return before ? [] : this.#columns();
      },
      apply: async (deltas) => {
        for (const delta of deltas) this.#apply(delta);
        this.commits++;
        const report: CommitReport = { added: 1, removed: 0, kernelMs: 0.1, latencyMs: 1, ok: true };
        events({ kind: 'commit', report });
        return report;
      },
      status: async () => ({
        sets: [...this.sets].map(([set, members]) => ({
          set,
          family: 4,
          wanted: members.size,
          installed: members.size,
          covered: 0,
          foreign: 0,
          conflicts: [],
          unfit: [],
          representation: 'hash',
        })),
        problems: [{ kind: 'conflict', subject: 'web', message: 'a problem', remedy: undefined, since: 1 }],
        commits: this.commits,
        failedCommits: 0,
        repairs: 0,
        elementsSent: 0,
        rules: [],
        foreignChains: [],
        ownedTable: undefined,
        tenants: [],
      }),
      flush: async () => ({ tracked: 0, cut: 0, allowed: 0, doubtful: 0, protected: 0, left: 0, examples: [] }),
      close: async ({ clear }) => {
        this.cleared = clear;
        this.configured = [];
      },
    };
  }

  members(set: string): readonly string[] {
    return [...(this.sets.get(set) ?? [])].sort();
  }

  #apply(delta: MemberDelta): void {
    const members = delta.complete ? new Set<string>() : (this.sets.get(delta.set) ?? new Set());
    if (delta.family === 4) this.sets.set(delta.set, members);
    for (let i = 0; i < delta.count; i++) {
      const text = printPrefix(at(delta, i));
      if (delta.wanted[i]) members.add(text);
      else members.delete(text);
    }
  }

  #columns(): readonly MemberColumns[] {
    return [...this.sets].map(([set, members]) => {
      const list = [...members].map((text) => prefix(text)).filter((p) => p.family === 4);
      return {
        set,
        family: 4,
        count: list.length,
        words: Uint32Array.from(list, (p) => p.w0),
        lengths: Uint8Array.from(list, (p) => p.length),
      };
    });
  }
}

function at(delta: MemberDelta, i: number): Prefix {
  const stride = delta.family === 4 ? 1 : 4;
  const word = (n: number): number => (n < stride ? delta.words[i * stride + n]! : 0);
  return prefixFromWords(delta.family, word(0), word(1), word(2), word(3), delta.lengths[i]!);
}

/** One commit at a time. */
function pump({ source, kernel }: SchedulingParts): Scheduling {
  let running: Promise<void> = Promise.resolve();
  const run = (): void => {
    running = running.then(async () => {
      const deltas = source.drain();
      if (deltas.length > 0) await kernel.apply(deltas);
    });
  };
  const off = source.onDirty(run);
  run();
  return {
    resync: () => undefined,
    idle: () => running,
    close: async () => {
      off();
      await running;
    },
  };
}

// Sessions wait a while before they try again.
vi.setConfig({ testTimeout: 60_000 });

let directory = '';
const closers: (() => Promise<void>)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-daemon-'));
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(directory, { recursive: true });
});

const WEB = { communities: [((64512 << 16) | 80) >>> 0] };

/** A neighbour on loopback with a table of its own. */
async function neighbour(): Promise<{ routes: StaticRoutes; port: number; speaker: BgpSpeaker }> {
  const routes = new StaticRoutes();
  const address = parseIp('127.0.0.1')!;
  let listening = (_port: number): void => undefined;
  const port = new Promise<number>((resolve) => {
    listening = resolve;
  });
  const peer: PeerConfig = {
    name: 'weir',
    address,
    peerAs: asn(64512),
    families: ['ipv4 unicast'],
    passive: true,
    idleHold: { initial: 10, max: 20 },
  };
  const speaker = new BgpSpeaker(
    { localAs: asn(64512), routerId: ip4(0xc0000202), listen: [{ address, port: 0 }], peers: [peer], announcer: routes },
    (event) => {
      if (event.kind === 'listening') listening(event.port);
    },
  );
  speaker.start();
  closers.push(() => speaker.close({ silent: true }));
  return { routes, port: await port, speaker };
}

function write(port: number, more = '', as = '64512'): string {
  const file = join(directory, 'weir.yaml');
  writeFileSync(
    file,
    `bgp:
  as: ${as}
  router_id: 192.0.2.1
  peers: [{ name: core, address: 127.0.0.1, port: ${port}, as: 64512, families: [ipv4 unicast] }]
sets:
  web:
    kind: allow
    communities: ["64512:80"]
    guard: { peers: [core], prefixes: [203.0.113.0/24] }
    on_session_loss: hold 2m
    nft: { table: core_fw, ipv4: web4 }
${more}convergence: { settle: 50ms, settle_without_restart: 50ms }
state_directory: ${directory}/state
socket: ${directory}/weir.sock
`,
  );
  return file;
}

async function start(
  kernel: MemoryKernel,
  file: string,
  more: Partial<DaemonOptions> = {},
): Promise<{ daemon: Daemon; client: ControlClient; log: string[]; notified: string[] }> {
  const log: string[] = [];
  const notified: string[] = [];
  const read = (): ReturnType<typeof loadDaemonConfig> =>
    loadDaemonConfig(file, { socket: undefined, stateDirectory: undefined, netns: undefined });
  const loaded = read();
  const daemon = await Daemon.start({
    version: '0.0.0',
    config: loaded.config!,
    choose: () => ({ loaded, store: GenerationStore.open(join(directory, 'state')) }),
    reload: read,
    readTexts: (name, texts) => loadGeneration(name, texts, { socket: undefined, stateDirectory: undefined, netns: undefined }),
    startTimer: () => undefined,
    holdImage: () => undefined,
    log: openLog({ level: 'debug', format: 'text', write: (line) => log.push(line) }),
    notifier: new Notifier((state) => notified.push(state), undefined),
    openKernel: async (_config, events) => kernel.open(events),
    schedule: pump,
    onFatal: () => undefined,
    ...more,
  });
  closers.push(() => daemon.close({ clear: false, message: 'test' }));
  const client = await ControlClient.connect(join(directory, 'weir.sock'));
  closers.push(async () => client.close());
  return { daemon, client, log, notified };
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (await what()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('it did not come to that');
}

test('routes reach the kernel, questions are answered, withdrawals act', async () => {
  const kernel = new MemoryKernel();
  const { routes, port } = await neighbour();
  routes.announce([prefix('203.0.113.10/32')], { attributes: WEB });
  routes.announce([prefix('198.51.100.0/24')], { attributes: WEB });
  const { client, notified, daemon } = await start(kernel, write(port));
  await until(() => kernel.members('web').length === 1);
  expect(kernel.members('web')).toEqual(['203.0.113.10/32']);

  const status = await client.call('status', {});
  expect(status).toMatchObject({
    format_version: 1,
    version: '0.0.0',
    bgp: { as: 64512, router_id: '192.0.2.1', peers: 1, established: 1 },
  });
  expect(status.sets[0]).toMatchObject({ name: 'web', members: 1, max_members: 1_000_000, refused: { prefix: 1 } });
  expect(status.sets[0]?.targets[0]).toMatchObject({ kernel_set: 'inet core_fw web4', installed: 1 });
  expect(status.kernel.problems[0]).toMatchObject({ message: 'a problem', since: '1970-01-01T00:00:00.001Z' });
  await until(async () => (await client.call('peers', {})).peers[0]?.converged === true);
  expect((await client.call('peers', {})).peers[0]).toMatchObject({
    name: 'core',
    state: 'Established',
    as: 64512,
    families: ['ipv4 unicast'],
    routes: 1,
    stale_routes: 0,
  });

  const members = await client.call('members', { set: 'web' });
  expect(members).toMatchObject({
    total: 1,
    members: [{ prefix: '203.0.113.10/32', why: [{ kind: 'route', peer: 'core', communities: ['64512:80'], stale: false }] }],
  });
  const listed = await client.call('routes', { prefix: '203.0.113.0/24' });
  expect(listed.routes).toEqual([]);
  const longer = await client.call('routes', { prefix: '203.0.113.0/24', longer: true });
  expect(longer.routes).toMatchObject([
    { prefix: '203.0.113.10/32', peer: 'core', sets: ['web'], communities: ['64512:80'], next_hop: '127.0.0.1' },
  ]);
  expect(await client.call('refused', { set: 'web' })).toMatchObject({
    counts: { prefix: 1 },
    recent: [{ prefix: '198.51.100.0/24', peer: 'core', reason: 'prefix' }],
  });
  await expect(client.call('members', { set: 'nope' })).rejects.toMatchObject({ code: 'not-found' });
  await expect(client.call('routes', { prefix: 'x' })).rejects.toMatchObject({ code: 'bad-request' });

  const watch = client.watch({ kinds: ['member'], set: 'web' });
  expect((await watch.next()).value?.events).toEqual([]);
  const change = watch.next();
  routes.withdraw([prefix('203.0.113.10/32')]);
  expect((await change).value?.events[0]).toMatchObject({ kind: 'member', fields: { prefix: '203.0.113.10/32', present: false } });
  await until(() => kernel.members('web').length === 0);

  expect(notified[0]).toBe('READY=1\nSTATUS=0 of 1 peers established, 0 members in 1 sets');
  await daemon.close({ clear: true, message: 'over' });
  expect(notified.at(-1)).toBe('STOPPING=1\nSTATUS=over');
  expect(kernel.cleared).toBe(true);
});

test('the commands show it', async () => {
  const kernel = new MemoryKernel();
  const { routes, port } = await neighbour();
  routes.announce([prefix('203.0.113.10/32')], { attributes: WEB });
  const { client } = await start(kernel, write(port));
  await until(async () => (await client.call('peers', {})).peers[0]?.converged === true);
  const run = async (...args: string[]): Promise<string> => {
    const io = memoryIo({ env: {} });
    const code = await runProgram([...args, '--socket', join(directory, 'weir.sock')], io, {});
    expect([args, code, io.stderr]).toEqual([args, 0, '']);
    return io.stdout;
  };
  expect(await run('status')).toMatch(/bgp +AS 64512, router id 192\.0\.2\.1; 1 of 1 peers established, 1 converged; 1 route\n/);
  expect(await run('status')).toContain('problem  web: a problem');
  expect(await run('peers')).toMatch(/^PEER +ADDRESS .*\ncore +127\.0\.0\.1 +64512 +Established .* yes +1 +0\n$/);
  expect(await run('sets')).toMatch(/^SET .*\nweb +allow +1\/1000000 +0 +0 +inet core_fw web4 +1 +hash\n$/);
  expect(await run('sets', 'web')).toMatch(/^203\.0\.113\.10\/32\n {2}from core with 64512:80 for /);
  expect(await run('sets', 'web', '--refused')).toBe('web: nothing was refused\n');
  expect(await run('routes')).toMatch(/\n203\.0\.113\.10\/32 +core +127\.0\.0\.1 +64512:80 +web\n$/);
  for (const args of [['status'], ['peers'], ['sets'], ['sets', 'web'], ['sets', 'web', '--refused'], ['routes'], ['reload']]) {
    expect(JSON.parse(await run(...args, '-o', 'json'))).toMatchObject({ format_version: 1 });
  }
  expect(await run('reload')).toBe('reloaded: nothing changed\n');

  const io = memoryIo();
  const watching = runProgram(['sets', 'web', '--watch', '--socket', join(directory, 'weir.sock')], io, {});
  // The watch begins after the list: changes until then are in it.
  await until(() => io.stdout.includes('203.0.113.10/32'));
  for (let i = 0; !io.stdout.includes('web + '); i++) {
    routes.announce([prefix(`203.0.113.${i}/32`)], { attributes: WEB });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  io.abort();
  expect(await watching).toBe(130);
  expect(io.stdout).toMatch(/\n\d{4}-\d\d-\d\dT[\d:.]+Z web \+ 203\.0\.113\.\d+\/32\n/);
});

test('a reload applies the difference; a bad file changes nothing and is reported', async () => {
  const kernel = new MemoryKernel();
  const { routes, port, speaker } = await neighbour();
  routes.announce([prefix('203.0.113.10/32'), prefix('203.0.113.128/25')], { attributes: WEB });
  const { client, log, notified } = await start(kernel, write(port));
  await until(() => kernel.members('web').length === 2);
  const commits = kernel.commits;

  expect(await client.call('reload', {})).toMatchObject({ changed: [] });
  expect(kernel.commits).toBe(commits);

  write(port, '', '0');
  await expect(client.call('reload', {})).rejects.toMatchObject({ code: 'invalid-config' });
  expect(kernel.members('web').length).toBe(2);
  expect((await client.call('status', {})).config).toMatchObject({
    failed_reloads: 1,
    last_error: [expect.stringContaining('error[E011]')],
  });
  expect(log.join('')).toContain('AS 0 is not an AS');

  write(port, 'netns: other\n');
  await expect(client.call('reload', {})).rejects.toMatchObject({ message: 'netns cannot change while the daemon runs' });

  const file = write(port, '  more: { kind: deny, communities: "64512:80", nft: { table: core_fw, ipv4: more4 } }\n');
  writeFileSync(
    file,
    readFileSync(file, 'utf8').replace('prefixes: [203.0.113.0/24]', 'prefixes: [203.0.113.0/24], lengths: { ipv4: 32 }'),
  );
  expect(await client.call('reload', {})).toMatchObject({ changed: ['set web changed', 'set more added'] });
  await until(() => kernel.members('web').length === 1 && kernel.members('more').length === 2);
  expect(kernel.members('web')).toEqual(['203.0.113.10/32']);
  expect(speaker.status('weir').sessions).toBe(1);
  expect(notified.filter((n) => n.startsWith('RELOADING=1\nMONOTONIC_USEC=')).length).toBe(4);
  expect((await client.call('status', {})).config.last_error).toBeUndefined();
});

test('what is installed stays over a restart and goes when the peer has converged without it', async () => {
  const kernel = new MemoryKernel();
  const { routes, port } = await neighbour();
  routes.announce([prefix('203.0.113.10/32'), prefix('203.0.113.11/32')], { attributes: WEB });
  const file = write(port);
  const first = await start(kernel, file);
  await until(() => kernel.members('web').length === 2);
  await first.daemon.close({ clear: false, message: 'restart' });
  expect(kernel.members('web').length).toBe(2);

  routes.withdraw([prefix('203.0.113.11/32')]);
  const { client } = await start(kernel, file);
  expect(kernel.members('web').length).toBe(2);
  await until(() => kernel.members('web').length === 1);
  expect(kernel.members('web')).toEqual(['203.0.113.10/32']);
  expect((await client.call('peers', {})).peers[0]?.converged).toBe(true);
});

test('a second daemon does not come near the kernel', async () => {
  const kernel = new MemoryKernel();
  const { port } = await neighbour();
  const file = write(port);
  await start(kernel, file);
  let opened = false;
  await expect(
    start(kernel, file, {
      openKernel: async (_config, events) => {
        opened = true;
        return kernel.open(events);
      },
    }),
  ).rejects.toMatchObject({ code: 'SOCKET_IN_USE' });
  expect(opened).toBe(false);
});

test('nor does one with another socket and the same state directory, until the first has ended', async () => {
  const kernel = new MemoryKernel();
  const { port } = await neighbour();
  const file = write(port);
  const { daemon } = await start(kernel, file);
  const config = { ...loadDaemonConfig(file, { socket: undefined, stateDirectory: undefined, netns: undefined }).config! };
  const other = { ...config, socket: join(directory, 'other.sock') };
  let opened = 0;
  const openKernel: DaemonOptions['openKernel'] = async (_config, events) => {
    opened++;
    return kernel.open(events);
  };
  await expect(start(kernel, file, { config: other, openKernel })).rejects.toMatchObject({ code: 'STATE_IN_USE', holder: process.pid });
  expect([opened, existsSync(other.socket)]).toEqual([0, false]);
  // One that is ending has its time.
  const starting = start(kernel, file, { config: other, openKernel });
  await daemon.close({ clear: false, message: 'test' });
  await expect(starting).rejects.toMatchObject({ code: 'ENOENT' });
  expect([opened, existsSync(other.socket)]).toEqual([1, true]);
});

test('a kernel side that is gone ends the daemon, once', async () => {
  const { routes, port } = await neighbour();
  const kernel = new MemoryKernel();
  const fatal: string[] = [];
  let gone = false;
  const { daemon } = await start(kernel, write(port), {
    onFatal: (error) => fatal.push(error.message),
    schedule: ({ source, onError }) => {
      const off = source.onDirty(() => {
        gone = true;
        onError(new Error('the worker has ended'));
        source.drain();
      });
      return { resync: () => undefined, idle: async () => undefined, close: async () => off() };
    },
    openKernel: async (_config, events) => {
      const open = kernel.open(events);
      return {
        ...open,
        status: () => (gone ? Promise.reject(new Error('ended')) : open.status()),
        close: () => Promise.reject(new Error('must not be asked')),
      };
    },
  });
  routes.announce([prefix('203.0.113.10/32')], { attributes: WEB });
  await until(() => fatal.length > 0);
  routes.announce([prefix('203.0.113.11/32')], { attributes: WEB });
  await daemon.close({ clear: false, message: 'over' });
  expect(fatal).toEqual(['the worker has ended']);
});

test('a kernel that refuses ends the start and leaves no socket', async () => {
  const { port } = await neighbour();
  const file = write(port);
  const refused = Object.assign(new Error('socket: EPERM'), { code: 'EPERM' });
  await expect(start(new MemoryKernel(), file, { openKernel: () => Promise.reject(refused) })).rejects.toBe(refused);
  await expect(ControlClient.connect(join(directory, 'weir.sock'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('rules of programs that the kernel refuses are a refused change, and what was is put back', async () => {
  const kernel = new MemoryKernel();
  const { port } = await neighbour();
  const file = write(port);
  const asked: number[] = [];
  const { client } = await start(kernel, file, {
    openKernel: async (_config, events) => {
      const open = kernel.open(events);
      let sets = 0;
      return {
        ...open,
        configure: (config) => {
          sets = config.sets.length;
          asked.push(sets);
          return open.configure(config);
        },
        status: async () => {
          const problem = { kind: 'refused', subject: 'hook xdp', message: 'too long', remedy: undefined, since: 0 } as const;
          return { ...(await open.status()), problems: sets > 1 ? [problem] : [] };
        },
      };
    },
  });
  write(port, SECOND);
  await expect(client.call('apply', {})).rejects.toMatchObject({
    code: 'refused',
    message: 'the kernel refuses hook xdp: too long',
  });
  expect(asked).toEqual([1, 2, 1]);
  expect(await client.call('history', {})).toMatchObject({ in_force: 1, generations: [{ number: 1 }] });
});

test('where the kernel refuses rules at the start and none were in force, those that were confirmed last are offered', async () => {
  const kernel = new MemoryKernel();
  const { port } = await neighbour();
  const file = write(port);
  const offered: (string | undefined)[] = [];
  const empty = { directory: '', places: [], lists: [], limits: [], waits: false };
  const overrides = { socket: undefined, stateDirectory: undefined, netns: undefined };
  const loaded = loadDaemonConfig(file, overrides);
  const earlier = { what: 'the rules of generation 1', config: loaded.config! };
  const { daemon } = await start(kernel, file, {
    choose: () => ({ loaded, store: GenerationStore.open(join(directory, 'state')), earlier: () => earlier }),
    openKernel: async (_config, events) => {
      const open = kernel.open(events);
      return {
        ...open,
        configure: (config, before) => {
          offered.push(before?.what);
          return open.configure(config);
        },
        status: async () => ({ ...(await open.status()), ebpf: { ...empty, lacking: ['xdp'] } }),
      };
    },
  });
  expect(offered).toEqual([undefined, 'the rules of generation 1']);
  await daemon.close({ clear: false, message: 'over' });
});

const SECOND = '  more: { kind: deny, communities: "64512:80", nft: { table: core_fw, ipv4: more4 } }\n';

test('a change that nobody confirms is taken back, and the files that it came from are not taken at the next start', async () => {
  const kernel = new MemoryKernel();
  const { port } = await neighbour();
  const file = write(port);
  const held: boolean[] = [];
  const timers: number[] = [];
  const more = {
    holdImage: (_: string, hold: boolean) => void held.push(hold),
    startTimer: (_: unknown, n: number) => void timers.push(n),
  };
  const { client, daemon } = await start(kernel, file, more);
  expect(await client.call('history', {})).toMatchObject({ in_force: 1, generations: [{ number: 1, cause: 'start', by: 'weir run' }] });

  write(port, SECOND);
  const applied = await client.call('apply', { confirm_timeout_ms: 1000 });
  expect(applied).toMatchObject({ generation: 2, changed: ['set more added'], confirm_before: expect.any(String) });
  expect((await client.call('sets', {})).sets.map((s) => s.name)).toEqual(['web', 'more']);
  expect(await client.call('history', {})).toMatchObject({ in_force: 2, pending: { generation: 2, previous: 1 } });
  await expect(client.call('reload', {})).rejects.toMatchObject({ code: 'busy' });
  expect([held, timers]).toEqual([[false, true], [2]]);

  await until(async () => (await client.call('history', {})).pending === undefined);
  expect((await client.call('sets', {})).sets.map((s) => s.name)).toEqual(['web']);
  expect(await client.call('history', {})).toMatchObject({
    in_force: 1,
    generations: [{ reverted: false }, { number: 2, reverted: true }],
  });
  expect(held).toEqual([false, true, false]);
  await expect(client.call('reload', {})).rejects.toMatchObject({ code: 'stale', message: expect.stringContaining('taken back') });
  await daemon.close({ clear: false, message: 'test' });

  const overrides = { socket: undefined, stateDirectory: undefined, netns: undefined };
  const choose = (): ReturnType<typeof chooseStart> =>
    chooseStart(GenerationStore.open(join(directory, 'state')), loadDaemonConfig(file, overrides), (f, t) =>
      loadGeneration(f, t, overrides),
    );
  expect(choose().loaded.config?.sets.map((s) => s.name)).toEqual(['web']);
  expect(choose().notices.join()).toContain('generation 1 is in force');
  write(port, SECOND.replace('more:', 'other:'));
  expect(choose()).toMatchObject({ notices: [] });
  expect(choose().loaded.config?.sets.map((s) => s.name)).toEqual(['web', 'other']);
});

test('a change that waits when the daemon dies is taken back by the next one', async () => {
  const kernel = new MemoryKernel();
  const { port } = await neighbour();
  const file = write(port);
  const { client, daemon } = await start(kernel, file);
  write(port, SECOND);
  await client.call('apply', { confirm_timeout_ms: 60_000 });
  await daemon.close({ clear: false, message: 'test' });
  const overrides = { socket: undefined, stateDirectory: undefined, netns: undefined };
  const store = GenerationStore.open(join(directory, 'state'));
  const { loaded, notices } = chooseStart(store, loadDaemonConfig(file, overrides), (f, t) => loadGeneration(f, t, overrides));
  expect(loaded.config?.sets.map((s) => s.name)).toEqual(['web']);
  expect(notices.join()).toContain('generation 1 is in force');
  expect(store.index).toMatchObject({ inForce: 1, pending: undefined });
});

test('confirmed changes stay; a rollback goes back', async () => {
  const kernel = new MemoryKernel();
  const { port } = await neighbour();
  const { client } = await start(kernel, write(port));
  await expect(client.call('confirm', {})).rejects.toMatchObject({ code: 'not-found' });
  await expect(client.call('rollback', {})).rejects.toMatchObject({ message: 'there is nothing to go back to' });
  write(port, SECOND);
  await client.call('apply', { confirm_timeout_ms: 60_000 });
  expect(await client.call('confirm', {})).toMatchObject({ generation: 2 });
  expect(await client.call('rollback', {})).toMatchObject({ generation: 3, to: 1, changed: ['set more removed'] });
  expect((await client.call('sets', {})).sets.map((s) => s.name)).toEqual(['web']);
  expect(await client.call('rollback', { to: 2 })).toMatchObject({ generation: 4, to: 2, changed: ['set more added'] });
  await expect(client.call('rollback', { to: 99 })).rejects.toMatchObject({ message: 'there is no generation 99' });
  // Before its time it can be taken back as well.
  write(port);
  await client.call('apply', { confirm_timeout_ms: 60_000 });
  expect(await client.call('rollback', {})).toMatchObject({ generation: 4, to: 4 });
  const answer = await client.call('history', {});
  expect(answer.generations.map((one) => `${one.number} ${one.cause}${one.reverted ? ' reverted' : ''}`)).toEqual([
    '1 start',
    '2 apply reverted',
    '3 rollback reverted',
    '4 rollback',
    '5 apply reverted',
  ]);
  expect(answer.generations[1]?.by).toBe(`uid ${process.getuid?.()}, pid ${process.pid}`);
});

test('a stale plan is refused', async () => {
  const kernel = new MemoryKernel();
  const { port } = await neighbour();
  const { client } = await start(kernel, write(port));
  const base = (await client.call('generation', {})).digest;
  const file = write(port, SECOND);
  const { digest } = loadDaemonConfig(file, { socket: undefined, stateDirectory: undefined, netns: undefined });
  write(port, SECOND.replace('more:', 'other:'));
  await expect(client.call('apply', { base, digest })).rejects.toMatchObject({
    code: 'stale',
    message: expect.stringContaining('the files'),
  });
  write(port, SECOND);
  expect(await client.call('apply', { base, digest })).toMatchObject({ generation: 2 });
  await expect(client.call('apply', { base, digest })).rejects.toMatchObject({
    code: 'stale',
    message: expect.stringContaining('in force'),
  });
});
