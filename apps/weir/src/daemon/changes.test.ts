import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ApiError } from '../api/index.ts';
import type { Config } from '../model/config.ts';
import { DEFAULT_EBPF } from '../model/ebpf.ts';
import { openLog } from '../observe/index.ts';
import { digestTexts, type Texts } from '../sources/config/index.ts';
import { Changes, type ChangesOptions } from './changes.ts';
import { GenerationStore } from './generations/index.ts';
import type { DaemonConfig } from './load-daemon-config.ts';

let directory = '';
let file = 'first';
let inForce = '';
let adopting: (text: string) => Promise<void> = async () => undefined;
let log: string[] = [];
let held: boolean[] = [];

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  directory = mkdtempSync(join(tmpdir(), 'weir-changes-'));
  file = 'first';
  inForce = 'first';
  adopting = async () => undefined;
  log = [];
  held = [];
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

const report = { tracked: 3, cut: 1, allowed: 2, doubtful: 0, protected: 0, left: 0, examples: [] };

/** A configuration whose only text is its socket's path. */
const configOf = (text: string): Config =>
  ({
    file: 'weir.yaml',
    socket: '',
    hostname: text,
    bgp: { peers: [] },
    sets: [],
    protected: [],
    ebpf: DEFAULT_EBPF,
    tenants: [],
    faultyTenants: [],
  }) as unknown as Config;

function loaded(texts: Texts): DaemonConfig {
  const text = texts.get('weir.yaml') ?? '';
  return {
    config: text === 'bad' ? undefined : configOf(text),
    readable: true,
    texts,
    digest: digestTexts(texts),
    errors: text === 'bad' ? ['weir.yaml:1:1 bad'] : [],
    warnings: [],
  };
}

function changes(more: Partial<ChangesOptions> = {}): Changes {
  const made = new Changes({
    store: GenerationStore.open(directory),
    log: openLog({ level: 'debug', format: 'text', write: (line) => log.push(line) }),
    emit: () => undefined,
    config: () => configOf(inForce),
    read: () => loaded(new Map([['weir.yaml', file]])),
    readTexts: (_, texts) => loaded(texts),
    adopt: async (config) => {
      const text = (config as unknown as { hostname: string }).hostname;
      await adopting(text);
      inForce = text;
    },
    lockouts: () => [],
    flowChanges: () => [],
    flush: async () => report,
    holdImage: (hold) => held.push(hold),
    startTimer: () => undefined,
    notifier: { reloading: () => undefined },
    settled: () => undefined,
    ...more,
  });
  made.started(loaded(new Map([['weir.yaml', 'first']])));
  return made;
}

test('a revert that meets errors is tried until it succeeds', async () => {
  const made = changes();
  file = 'second';
  await made.apply({ confirm_timeout_ms: 2000 }, 'test');
  expect(inForce).toBe('second');
  let failures = 3;
  adopting = async () => {
    if (failures-- > 0) throw new Error('the kernel is busy');
  };
  await vi.advanceTimersByTimeAsync(2000);
  expect(inForce).toBe('second');
  expect(log.join('')).toContain('a change that nobody confirmed cannot be taken back: the kernel is busy');
  expect(made.history().pending).toMatchObject({ generation: 2, previous: 1 });
  await vi.advanceTimersByTimeAsync(15_000);
  expect(inForce).toBe('first');
  expect(made.history()).toMatchObject({ in_force: 1 });
  expect(made.history().pending).toBeUndefined();
  expect(held).toEqual([true, false]);
});

test('what the kernel refuses is not in force, and nothing waits', async () => {
  const made = changes();
  file = 'second';
  const taken: string[] = [];
  adopting = async (text) => {
    taken.push(text);
    if (text === 'second') throw new ApiError('refused', 'the kernel refuses rule web: EINVAL');
  };
  await expect(made.apply({ confirm_timeout_ms: 2000 }, 'test')).rejects.toMatchObject({ code: 'refused' });
  expect(taken).toEqual(['second', 'first']);
  expect(inForce).toBe('first');
  expect(made.history()).toMatchObject({ in_force: 1 });
  expect(made.history().pending).toBeUndefined();
  expect(held).toEqual([true, false]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(taken).toEqual(['second', 'first']);
});

test('nothing is applied that cannot be written down first', async () => {
  const made = changes();
  rmSync(directory, { recursive: true });
  file = 'second';
  const { mkdirSync, writeFileSync } = await import('node:fs');
  mkdirSync(directory);
  writeFileSync(join(directory, 'history'), 'in the way');
  await expect(made.apply({ confirm_timeout_ms: 2000 }, 'test')).rejects.toThrow();
  expect(inForce).toBe('first');
});

test('files with mistakes change nothing and are counted', async () => {
  const made = changes();
  file = 'bad';
  await expect(made.reload('test')).rejects.toMatchObject({ code: 'invalid-config', details: ['weir.yaml:1:1 bad'] });
  expect(made.reloads).toMatchObject({ ok: 0, failed: 1, lastError: ['weir.yaml:1:1 bad'] });
  expect(inForce).toBe('first');
});

test('who would be locked out is told, and may insist', async () => {
  const made = changes({ lockouts: () => ['your SSH session: tcp a -> b port 22 would be denied by input <default>'] });
  file = 'second';
  await expect(made.apply({}, 'test')).rejects.toMatchObject({ code: 'lockout', details: [expect.stringContaining('your SSH session')] });
  expect(inForce).toBe('first');
  expect(await made.apply({ allow_lockout: true }, 'test')).toMatchObject({
    generation: 2,
    warnings: [expect.stringContaining('your SSH session')],
  });
  expect(inForce).toBe('second');
});

test('changes come one after another', async () => {
  const made = changes();
  const order: string[] = [];
  adopting = async (text) => {
    order.push(`begin ${text}`);
    await Promise.resolve();
    order.push(`end ${text}`);
  };
  file = 'second';
  const one = made.apply({}, 'test');
  const two = made.rollback({}, 'test');
  await Promise.all([one, two]);
  expect(order).toEqual(['begin second', 'end second', 'begin first', 'end first']);
  made.close();
  await expect(made.reload('test')).rejects.toMatchObject({ message: 'the daemon is ending' });
});

test('connections are cut when the change is in force, or when it is confirmed', async () => {
  const asked: unknown[] = [];
  const made = changes({
    flush: async (request) => {
      asked.push({ ...request, inForce });
      return report;
    },
  });
  file = 'second';
  const ssh = '198.51.100.7 50000 192.0.2.1 22';
  expect(await made.apply({ flush_states: true, ssh }, 'test')).toMatchObject({ flushed: report });
  expect(asked).toEqual([{ ssh, allowLockout: false, inForce: 'second' }]);
  file = 'third';
  const waiting = await made.apply({ flush_states: true, allow_lockout: true, confirm_timeout_ms: 2000 }, 'test');
  expect(waiting).toMatchObject({ flush_at_confirm: true });
  expect(waiting.flushed).toBeUndefined();
  await vi.advanceTimersByTimeAsync(2000);
  // Taken back: nothing was cut, and what is confirmed next has not asked for it.
  expect([inForce, asked.length]).toEqual(['second', 1]);
  file = 'fourth';
  await made.apply({ confirm_timeout_ms: 2000 }, 'test');
  expect((await made.confirm('test')).flushed).toBeUndefined();
  file = 'fifth';
  await made.apply({ flush_states: true, allow_lockout: true, confirm_timeout_ms: 2000 }, 'test');
  expect(asked.length).toBe(1);
  expect(await made.confirm('test')).toMatchObject({ generation: 5, flushed: report });
  expect(asked[1]).toEqual({ ssh: undefined, allowLockout: true, inForce: 'fifth' });
});

test('a change stays in force when connections cannot be cut', async () => {
  const made = changes({
    flush: async () => {
      throw new Error('list connections: EPERM');
    },
  });
  file = 'second';
  expect(await made.apply({ flush_states: true }, 'test')).toMatchObject({ generation: 2, flush_error: 'list connections: EPERM' });
  expect(inForce).toBe('second');
});

test('a change that has to be confirmed has its time however the clock is set', async () => {
  const left: number[] = [];
  const made = changes({ startTimer: (_generation, ms) => left.push(ms) });
  file = 'second';
  await made.apply({ confirm_timeout_ms: 60_000 }, 'test');
  expect(left).toEqual([60_000]);
  vi.setSystemTime(1_000_000 + 86_400_000);
  await vi.advanceTimersByTimeAsync(59_000);
  expect(inForce).toBe('second');
  await vi.advanceTimersByTimeAsync(1000);
  expect(inForce).toBe('first');
});
