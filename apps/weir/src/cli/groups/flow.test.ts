import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Backend, ControlServer } from '../../api/index.ts';
import { memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';

const directory = mkdtempSync(join(tmpdir(), 'weir-flow-add-'));
const socket = join(directory, 'weir.sock');
let server: ControlServer | undefined;
let asked: { readonly actions: readonly string[]; readonly until?: number } | undefined;

beforeAll(async () => {
  const flowAdd = async (params: NonNullable<typeof asked>): Promise<unknown> => {
    asked = params;
    return { announced: { flow: '', actions: params.actions, peers: [], told: [], since: '', by: 'test' } };
  };
  server = await ControlServer.open({ path: socket, backend: { flowAdd } as unknown as Backend, onError: () => undefined });
});

afterAll(async () => {
  await server?.close();
  rmSync(directory, { recursive: true });
});

async function add(...args: readonly string[]): Promise<number> {
  asked = undefined;
  return runProgram(['flow', 'add', 'flow4 { dst 192.0.2.1/32; }', '--socket', socket, ...args], memoryIo(), {});
}

describe('weir flow add', () => {
  test.each([
    { args: ['--rate', '10mbit'], want: ['rate-bytes 1250000'] },
    { args: ['--rate', '1.5kbit'], want: ['rate-bytes 187.5'] },
    { args: ['--rate', '1gbit', '--action', 'sample'], want: ['rate-bytes 125000000', 'sample'] },
    { args: ['--rate', '20kpps'], want: ['rate-packets 20000'] },
    { args: ['--rate', '0bit'], want: ['rate-bytes 0'] },
    { args: ['--rate', '8bit', '--rate-packets', '5'], want: ['rate-bytes 1', 'rate-packets 5'] },
    { args: ['--discard'], want: ['discard'] },
  ])('$args', async ({ args, want }) => {
    expect([await add(...args), asked?.actions]).toEqual([0, want]);
  });

  test.each(['10', 'mbit', '10mbps', '-1bit', '1tbit', '10 mbit'])('a rate is not %j', async (rate) => {
    expect([await add('--rate', rate), asked]).toEqual([64, undefined]);
  });

  test('an end is a time, or how long', async () => {
    const now = Date.now();
    expect(await add('--discard', '--until', '2h')).toBe(0);
    expect(asked?.until).toBeGreaterThanOrEqual(now + 7_200_000);
    expect(await add('--discard', '--until', '2099-01-01T00:00:00Z')).toBe(0);
    expect(asked?.until).toBe(Date.UTC(2099, 0, 1));
  });
});
