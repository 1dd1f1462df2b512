// Prefixes that are put into a table and on disk before the answer, beside the disk alone and OpenBGPD, which keeps what is added in memory.
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { ControlClient } from '../apps/weir/src/api/index.ts';
import { printNumber } from '../test/lab/fleet/index.ts';
import { type Lab, startOpenbgpd } from '../test/lab/index.ts';
import { type Bench, type BenchOptions, beside, quantile, type Row } from './bench.ts';
import { onDisk, TABLE, tableServer } from './distributors/table-server.ts';

/** Octets that the plain loop writes at a time: about what the journal writes for one prefix. */
const RECORD = 100;
/** Prefixes of one command. */
const BATCH = 1000;
const AT_ONCE = 16;

interface Samples {
  readonly commands: number;
  readonly seconds: number;
  /** Milliseconds of each command. */
  readonly times: readonly number[];
}

/** Does something again and again for as long, in so many places at a time. */
async function repeat(seconds: number, places: number, work: (place: number) => Promise<unknown> | undefined): Promise<Samples> {
  const times: number[] = [];
  const start = performance.now();
  const one = async (place: number): Promise<void> => {
    for (let now = performance.now(); now - start < seconds * 1000; ) {
      const working = work(place);
      // Without a turn of the event loop where there is nothing to wait for.
      if (working) await working;
      const end = performance.now();
      times.push(end - now);
      now = end;
    }
  };
  await Promise.all(Array.from({ length: places }, (_, place) => one(place)));
  return { commands: times.length, seconds: (performance.now() - start) / 1000, times };
}

/** `write` and `fdatasync`, one after the other: no journal of one writer can be faster on this disk. */
async function measureDisk(directory: string, seconds: number): Promise<Samples> {
  const fd = openSync(`${directory}/plain`, 'a');
  try {
    const record = new Uint8Array(RECORD).fill(0x5a);
    return await repeat(seconds, 1, () => {
      writeSync(fd, record);
      fdatasyncSync(fd);
      return undefined;
    });
  } finally {
    closeSync(fd);
  }
}

async function measureOpenbgpd(lab: Lab, seconds: number): Promise<Samples> {
  const host = await lab.host('openbgpd');
  const daemon = await startOpenbgpd(lab, host, { as: 64512, routerId: '192.0.2.1', neighbors: [] });
  let next = 0;
  return await repeat(seconds, 1, () => daemon.command(`network add ${printNumber({ v4: 2 ** 24, v6: 0 }, next++)} community ${TABLE}`));
}

export const bench: Bench = {
  name: 'network-add',
  summary: 'prefixes added to a table, each command on disk before its answer, beside write and fdatasync alone and bgpctl network add',
  needsRoot: true,
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    const seconds = smoke ? 0.3 : 6;
    return await onDisk(async (lab) => {
      const weir = await tableServer(lab);
      const clients = await Promise.all(Array.from({ length: AT_ONCE }, () => ControlClient.connect(weir.socket)));
      let next = 0;
      const add = (place: number, count: number): Promise<unknown> | undefined => {
        const prefixes = Array.from({ length: count }, () => printNumber({ v4: 2 ** 24, v6: 0 }, next++));
        return clients[place]?.call('network-add', { prefixes, tables: ['added'] });
      };
      // Code is compiled, caches are warm.
      await repeat(seconds / 4, 1, (place) => add(place, 1));
      const one = await repeat(seconds, 1, (place) => add(place, 1));
      const many = await repeat(seconds, AT_ONCE, (place) => add(place, 1));
      const batched = await repeat(seconds, 1, (place) => add(place, BATCH));
      const there = (await weir.ask((client) => client.call('networks', { limit: 1 })))?.tables[0]?.prefixes;
      if (there !== next) throw new Error(`${there} prefixes are in the table, ${next} were added`);
      for (const client of clients) client.close();
      const commands = await repeat(seconds, 1, () =>
        weir.command('network', 'add', printNumber({ v4: 2 ** 24, v6: 0 }, next++), '--table', 'added', '--socket', weir.socket),
      );
      // After it and not beside it: they would wait for each other.
      const disk = await measureDisk(weir.stateDirectory, seconds);
      const floor = disk.commands / disk.seconds;
      const row = (what: string, durable: string, { commands: count, seconds: took, times }: Samples, prefixes = 1): Row => ({
        what,
        'on disk': durable,
        'commands/s': Math.round(count / took),
        'prefixes/s': Math.round((count * prefixes) / took),
        'p50 ms': Number(quantile(times, 0.5).toFixed(2)),
        'p99 ms': Number(quantile(times, 0.99).toFixed(2)),
        'prefixes / write and fdatasync': Number(((count * prefixes) / took / floor).toPrecision(2)),
      });
      return [
        row(`write ${RECORD} octets and fdatasync`, 'yes', disk),
        row('Weir, control socket, one after the other', 'yes', one),
        row(`Weir, control socket, ${AT_ONCE} at once`, 'yes', many),
        row(`Weir, control socket, ${BATCH} prefixes a command`, 'yes', batched, BATCH),
        row('weir network add, a process each', 'yes', commands),
        ...(await beside('bgpctl network add', 'bgpd', async () =>
          row('bgpctl network add, a process each', 'no: in memory', await measureOpenbgpd(lab, seconds)),
        )),
      ];
    });
  },
};
