// Lists of a million lines by `feeds`, and how long the main thread is held at most meanwhile.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '@weir/bgp/session';
import { Feeds, Networks } from '../apps/weir/src/daemon/networks/index.ts';
import { loadText } from '../apps/weir/src/sources/config/memory-files.ts';
import { printNumber } from '../test/lab/fleet/index.ts';
import type { Bench, BenchOptions, Row } from './bench.ts';
import { serveList } from './distributors/list-server.ts';

/** Kept on disk where /tmp may be memory. */
const DISK = '/var/tmp';
/** Milliseconds after a list is in its table, for the snapshot that follows, for each thousand lines. */
const AFTER_MS = 3;

const FORMATS = {
  text: { keys: '', print: (prefix: string) => `${prefix}\n`, whole: (lines: string) => lines },
  csv: { keys: ', format: csv, column: 2', print: (prefix: string) => `1,${prefix},x\n`, whole: (lines: string) => lines },
  json: {
    keys: ', format: json, path: "prefixes[*].cidr"',
    print: (prefix: string) => `,{"cidr":"${prefix}"}\n`,
    whole: (lines: string) => `{"prefixes":[${lines.slice(1)}]}`,
  },
} as const;
type Format = keyof typeof FORMATS;

/** Prefixes from a number to another. */
function listOf(format: Format, first: number, end: number): string {
  const { print, whole } = FORMATS[format];
  return whole(Array.from({ length: end - first }, (_, i) => print(printNumber({ v4: 2 ** 24, v6: 0 }, first + i))).join(''));
}

interface Turns {
  readonly s: number;
  readonly longest: number;
  readonly p999: number;
}

/** How long the main thread is held by one turn while work goes on, in milliseconds. */
async function turnsOf(size: number, work: () => Promise<unknown>): Promise<Turns> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  await work();
  const s = (performance.now() - start) / 1000;
  await sleep((AFTER_MS * size) / 1000);
  delay.disable();
  return { s, longest: delay.max / 1e6, p999: delay.percentile(99.9) / 1e6 };
}

async function measure(format: Format, from: 'file' | 'http', size: number, directory: string): Promise<readonly Row[]> {
  const [list, stateDirectory] = [join(directory, 'list'), join(directory, `${format}-${from}`)];
  mkdirSync(stateDirectory);
  const server = from === 'http' ? await serveList(list) : undefined;
  const origin = server ? `url: "${server.url}"` : `file: ${list}`;
  const { config, diagnostics } = loadText(`bgp: { as: 64512, router_id: 192.0.2.1, listen: [127.0.0.1], peers: [] }
protected: [192.0.2.0/24]
distribute:
  tables: { listed: { communities: ["65000:1"], max_prefixes: 10000000 } }
  clients: [{ name: hosts, from: 127.1.0.0/16, as: 64513, multihop: 8 }]
  next_hop: [192.0.2.1]
feeds: [{ name: list, table: listed, ${origin}${FORMATS[format].keys}, max_prefixes: 10000000, every: 1d, timeout: 10m }]
`);
  if (!config) throw new Error(diagnostics.map(({ message }) => message).join());
  const onError = (error: Error): void => {
    throw error;
  };
  const networks = new Networks({ stateDirectory, config: () => config, onError });
  const rows: Row[] = [];
  const changed = size / 100;
  writeFileSync(list, listOf(format, 0, size));
  const options = { networks, clock: systemClock, config: () => config, hostAddresses: () => [], stateDirectory, onError };
  const feeds = new Feeds({ ...options, events: () => undefined });
  try {
    for (const [into, first] of [
      ['an empty table', 0],
      ['1 % gone, 1 % new', changed],
      ['nothing new', changed],
    ] as const) {
      if (first > 0) writeFileSync(list, listOf(format, first, size + first));
      const { s, longest, p999 } = await turnsOf(size, () => feeds.refresh('list', false, 'uid 0'));
      if (networks.tables.size !== size) throw new Error(`${networks.tables.size} of ${size} are in the table`);
      rows.push({
        list: format,
        from,
        into,
        lines: size,
        s: Number(s.toFixed(2)),
        'lines/s': Math.round(size / s),
        'longest turn ms': Number(longest.toFixed(1)),
        'p99.9 ms': Number(p999.toFixed(1)),
      });
    }
  } finally {
    await feeds.close();
    await networks.close();
    await server?.close();
  }
  return rows;
}

export const bench: Bench = {
  name: 'feed-load',
  summary:
    'lists of a million lines (text, CSV, JSON; from a file and by HTTP) into a table on disk, and again with 1 % changed; how long one turn of the main thread takes at most',
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    const size = smoke ? 10_000 : 1_000_000;
    const directory = mkdtempSync(join(DISK, 'weir-feed-load-'));
    try {
      const rows: Row[] = [];
      for (const format of ['text', 'csv', 'json'] as const)
        for (const from of ['file', 'http'] as const) rows.push(...(await measure(format, from, size, directory)));
      return rows;
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
};
