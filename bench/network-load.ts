// Lists of a million lines into a table and out of it, and how long other commands wait meanwhile, beside OpenBGPD.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlClient } from '../apps/weir/src/api/index.ts';
import type { Weir } from '../test/e2e/weir.ts';
import { printNumber } from '../test/lab/fleet/index.ts';
import { type Host, type Lab, memoryMiB, startOpenbgpd, waitFor } from '../test/lab/index.ts';
import { type Bench, type BenchOptions, beside, quantile, type Row } from './bench.ts';
import { onDisk, TABLE, tableServer } from './distributors/table-server.ts';

/** Milliseconds between two commands that ask for nothing. */
const PROBE_MS = 50;
/** For one command. */
const PATIENCE_MS = 120_000;

const program = new URL('../apps/weir/bin/weir.mjs', import.meta.url).pathname;

/** Prefixes from a number to another, one a line. */
function lines(first: number, end: number): string {
  return Array.from({ length: end - first }, (_, i) => `${printNumber({ v4: 2 ** 24, v6: 0 }, first + i)}\n`).join('');
}

function peakOf(pid: number): number {
  return Math.round(memoryMiB(pid, 'VmHWM'));
}

/** `status` again and again for as long as `work` takes. */
async function probed<T>(
  weir: Weir,
  work: () => Promise<T>,
): Promise<{ readonly done: T; readonly seconds: number; readonly waits: readonly number[] }> {
  const client = await ControlClient.connect(weir.socket);
  const waits: number[] = [];
  let going = true;
  const probing = (async () => {
    while (going) {
      const asked = performance.now();
      await client.call('status', {});
      waits.push(performance.now() - asked);
      await sleep(PROBE_MS);
    }
  })();
  const start = performance.now();
  try {
    const done = await work();
    return { done, seconds: (performance.now() - start) / 1000, waits };
  } finally {
    going = false;
    await probing;
    client.close();
  }
}

async function measureWeir(lab: Lab, size: number): Promise<readonly Row[]> {
  const weir = await tableServer(lab);
  const list = `${lab.directory('list')}/list`;
  const rest = ['--table', 'added', '--socket', weir.socket];
  const inTable = async (): Promise<number | undefined> =>
    (await weir.ask((client) => client.call('networks', { limit: 1 })))?.tables[0]?.prefixes;
  const rows: Row[] = [];
  const measure = async (what: string, ...args: readonly string[]): Promise<string> => {
    const { done, seconds, waits } = await probed(weir, () =>
      weir.host.exec(process.execPath, [program, 'network', ...args], { timeoutMs: PATIENCE_MS }),
    );
    rows.push({
      what,
      lines: size,
      s: Number(seconds.toFixed(2)),
      'lines/s': Math.round(size / seconds),
      'status waits p50 ms': Number(quantile(waits, 0.5).toFixed(1)),
      'longest ms': Number(Math.max(...waits).toFixed(0)),
      'daemon VmHWM MiB': peakOf(weir.pid),
    });
    return done.stdout;
  };
  writeFileSync(list, lines(0, size));
  await measure('weir network load', 'load', list, ...rest);
  if ((await inTable()) !== size) throw new Error('not all of the list is in the table');
  const changed = size / 100;
  writeFileSync(list, lines(changed, size + changed));
  await measure('weir network load --replace, 1 % gone, 1 % new', 'load', list, '--replace', ...rest);
  if ((await inTable()) !== size) throw new Error('the table is not the list');
  const dumped = await measure('weir network dump', 'dump', ...rest);
  if (dumped !== readFileSync(list, 'utf8')) throw new Error('what is dumped is not what was loaded');
  await weir.stop();
  return rows;
}

/** Octets at most of all processes of a program in a namespace. */
async function peakOfAll(host: Host, program: string): Promise<number> {
  const { stdout } = await host.exec('ip', ['netns', 'pids', host.namespace]);
  // The command that lists them is one of them, and is gone.
  const there = stdout.split('\n').filter((pid) => pid !== '' && existsSync(`/proc/${pid}/comm`));
  const named = there.filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === program);
  return named.reduce((sum, pid) => sum + peakOf(Number(pid)), 0);
}

async function measureOpenbgpd(lab: Lab, size: number): Promise<Row> {
  const host = await lab.host('openbgpd');
  const daemon = await startOpenbgpd(lab, host, { as: 64512, routerId: '192.0.2.1', neighbors: [] });
  const prefixes = lines(0, size).trimEnd().split('\n');
  const start = performance.now();
  await daemon.announceMany(prefixes, { communities: [TABLE] });
  // The command ends when all is sent to the daemon's processes.
  const held = async (): Promise<boolean> => (await daemon.command('show rib memory')).includes(`${size} IPv4 unicast network entries`);
  await waitFor('the list to be there', held, { timeoutMs: 60_000, intervalMs: 20 });
  const seconds = (performance.now() - start) / 1000;
  return {
    what: 'bgpctl network bulk add (in memory)',
    lines: size,
    s: Number(seconds.toFixed(2)),
    'lines/s': Math.round(size / seconds),
    'daemon VmHWM MiB': await peakOfAll(host, 'bgpd'),
  };
}

export const bench: Bench = {
  name: 'network-load',
  summary:
    'a list of a million lines into a table (on disk), in place of it, and out of it; how long `status` waits meanwhile; beside bgpctl network bulk add',
  needsRoot: true,
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    const size = smoke ? 10_000 : 1_000_000;
    return await onDisk(async (lab) => {
      const own = await measureWeir(lab, size);
      const others = await beside('bgpctl network bulk add', 'bgpd', () => measureOpenbgpd(lab, size));
      const first = Number(own[0]?.['s']);
      return [...own, ...others].map((row) => ({
        ...row,
        ...(typeof row['s'] === 'number' ? { 'time / Weir load': Number((row['s'] / first).toFixed(2)) } : {}),
      }));
    });
  },
};
