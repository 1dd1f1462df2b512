import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ControlClient } from '../api/index.ts';
import { type MemoryIo, memoryIo } from '../cli/memory-io.ts';
import type { KernelPort, KernelStatus } from '../model/kernel-port.ts';
import { GenerationStore } from './generations/index.ts';
import { runDaemon } from './run.ts';

const EVENTS = ['SIGHUP', 'SIGTERM', 'uncaughtException', 'unhandledRejection'] as const;
const STATUS: KernelStatus = {
  sets: [],
  problems: [],
  commits: 0,
  failedCommits: 0,
  repairs: 0,
  elementsSent: 0,
  rules: [],
  foreignChains: [],
  ownedTable: undefined,
  tenants: [],
};

let directory = '';
let file = '';
let before: Map<string, readonly unknown[]>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-run-'));
  file = join(directory, 'weir.yaml');
  before = new Map(EVENTS.map((name) => [name, process.rawListeners(name)]));
});

afterEach(() => {
  for (const name of EVENTS)
    for (const listener of process.rawListeners(name))
      if (!before.get(name)?.includes(listener)) process.removeListener(name, listener as () => void);
  rmSync(directory, { recursive: true });
});

const text = (hostname: string): string => `bgp: { as: 64512, router_id: 192.0.2.1, hostname: ${hostname} }
state_directory: ${directory}/state
socket: ${directory}/weir.sock
`;

interface Running {
  readonly io: MemoryIo;
  readonly ended: Promise<number>;
  ask<T>(question: (client: ControlClient) => Promise<T>): Promise<T>;
}

/** `weir run` with a kernel that takes everything. */
function run(config: string): Running {
  const io = memoryIo();
  const kernel: KernelPort = {
    configure: async () => [],
    flows: async () => undefined,
    watch: async () => undefined,
    apply: async () => ({ added: 0, removed: 0, kernelMs: 0, latencyMs: undefined, ok: true }),
    status: async () => STATUS,
    flush: async () => ({ tracked: 0, cut: 0, allowed: 0, doubtful: 0, protected: 0, left: 0, examples: [] }),
    close: async () => undefined,
  };
  const ended = runDaemon(
    {
      config,
      socket: undefined,
      stateDirectory: undefined,
      netns: undefined,
      logLevel: 'error',
      logFormat: 'text',
      clear: false,
      color: 'never',
    },
    io,
    {
      openKernel: async () => kernel,
      schedule: () => ({ idle: async () => undefined, close: async () => undefined, resync: () => undefined }),
      startTimer: () => undefined,
      holdImage: () => undefined,
    },
  );
  const ask: Running['ask'] = async (question) => {
    const client = await connect();
    try {
      return await question(client);
    } finally {
      client.close();
    }
  };
  return { io, ended, ask };
}

async function connect(): Promise<ControlClient> {
  for (let i = 0; ; i++) {
    try {
      return await ControlClient.connect(join(directory, 'weir.sock'));
    } catch (error) {
      if (i >= 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

/** Generation 1, and 2 that waits for confirmation. */
function unconfirmed(): void {
  const store = GenerationStore.open(join(directory, 'state'));
  const entry = { at: 1, cause: 'apply', by: 'test', file, changes: [] } as const;
  store.add(entry, new Map([[file, text('first')]]));
  store.add(entry, new Map([[file, text('second')]]), 1e15);
}

test('the files of what is in force are named in full', async () => {
  writeFileSync(file, text('first'));
  const daemon = run(relative(process.cwd(), file));
  const answer = await daemon.ask((client) => client.call('generation', {}));
  expect([answer.file, Object.keys(answer.texts)]).toEqual([file, [file]]);
  daemon.io.abort();
  expect(await daemon.ended).toBe(0);
});

describe('files with mistakes', () => {
  const broken = (): string => text('third').replace('router_id', 'routerid');

  test('end it where nothing waits', async () => {
    writeFileSync(file, broken());
    expect(await run(file).ended).toBe(2);
  });

  test('do not stand in the way of what was in force before an unconfirmed change, and are told of', async () => {
    unconfirmed();
    writeFileSync(file, broken());
    // The second time nothing waits any more: the files are still not what somebody confirmed.
    for (const time of [1, 2]) {
      const daemon = run(file);
      const { config } = await daemon.ask((client) => client.call('status', {}));
      expect([time, config.last_error?.join()]).toEqual([time, expect.stringContaining('routerid')]);
      expect(config.failed_reloads).toBe(1);
      const history = await daemon.ask((client) => client.call('history', {}));
      expect([history.in_force, history.pending]).toEqual([1, undefined]);
      await expect(daemon.ask((client) => client.call('reload', {}))).rejects.toMatchObject({ code: 'invalid-config' });
      daemon.io.abort();
      expect(await daemon.ended).toBe(0);
    }
    writeFileSync(file, text('mended'));
    const daemon = run(file);
    const { config } = await daemon.ask((client) => client.call('status', {}));
    expect(config.last_error).toBeUndefined();
    expect((await daemon.ask((client) => client.call('generation', {}))).texts[file]).toContain('mended');
    daemon.io.abort();
    await daemon.ended;
  });

  test.each(['state_directory: "DIR"', "state_directory:  'DIR'", 'state_directory: DIR # here'])(
    'the state is where a line says: %s',
    async (line) => {
      unconfirmed();
      writeFileSync(file, `bgp: [\n${line.replace('DIR', join(directory, 'state'))}\n`);
      const daemon = run(file);
      expect((await daemon.ask((client) => client.call('history', {}))).in_force).toBe(1);
      daemon.io.abort();
      await daemon.ended;
    },
  );

  test('a file that is not there is not passed over', async () => {
    unconfirmed();
    expect(await run(file).ended).toBe(1);
  });
});
