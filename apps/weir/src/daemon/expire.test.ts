import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Backend, ControlServer } from '../api/index.ts';
import { memoryIo } from '../cli/memory-io.ts';
import { bootTime } from './boot-time.ts';
import { runExpire } from './expire.ts';
import { GenerationStore } from './generations/index.ts';

let directory = '';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000, toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  directory = mkdtempSync(join(tmpdir(), 'weir-expire-'));
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a change has its time however the clock is set, and is taken back then', async () => {
  const socket = join(directory, 'weir.sock');
  const asked: unknown[] = [];
  const backend = {
    rollback: async (params: unknown) => {
      asked.push(params);
      store.takeBack();
      return { format_version: 1, generation: 1, to: 1, changed: [] };
    },
  } as unknown as Backend;
  const server = await ControlServer.open({ path: socket, backend, onError: () => undefined });
  const store = GenerationStore.open(directory);
  for (const deadline of [undefined, 1e15]) {
    const entry = { at: 1, cause: 'apply', by: 'test', file: 'weir.yaml', changes: [] } as const;
    store.add(entry, new Map([['weir.yaml', String(deadline)]]), deadline);
  }
  let booted = 500_000;
  const pass = async (ms: number): Promise<void> => {
    booted += ms;
    await vi.advanceTimersByTimeAsync(ms);
    await settle();
  };
  const ended = runExpire(
    { stateDirectory: directory, socket, netns: undefined, generation: 2, due: booted + 60_000 },
    memoryIo(),
    () => booted,
  );
  await pass(5_000);
  // Two days ahead, and back again.
  vi.setSystemTime(1_000_000 + 2 * 86_400_000);
  await pass(5_000);
  vi.setSystemTime(1_000);
  await pass(45_000);
  expect(asked).toEqual([]);
  for (let i = 0; i < 4; i++) await pass(5_000);
  expect(await ended).toBe(0);
  expect(asked).toEqual([{ unconfirmed: 2 }]);
  await server.close();
});

test('time since the machine was started goes on', () => {
  const first = bootTime();
  expect(first).toBeGreaterThan(0);
  expect(bootTime()).toBeGreaterThanOrEqual(first);
});
