// A full table over one session into the routing table, with provenance, beside BIRD, GoBGP and FRR fed by the same process with the same octets.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lab, type LabProcess, memoryMiB } from '../test/lab/index.ts';
import { type Bench, type BenchOptions, beside, type Row } from './bench.ts';
import { DAEMONS, type Daemon } from './rib-ingest/receivers.ts';
import { FEEDER, PER_UPDATE, RECEIVER } from './rib-ingest/routes.ts';

const ROUTES = 1_000_000;
const BUDGET = '1.5 s, 400 MB';
/** A daemon that has not taken everything by then has failed. */
const LIMIT_MS = 600_000;
const NODE = ['--conditions=source', '--import', 'tsx'];

interface Figures {
  /** From the first octet sent to the last route in the table. */
  readonly seconds: number;
  /** The most that the process ever had resident. */
  readonly peakMb: number;
  readonly note: string;
}

function script(name: string): string {
  return join(import.meta.dirname, 'rib-ingest', name);
}

/** One receiver in a laboratory of its own; `start` gives the process and waits for all routes to be there, returning when they were. */
async function ingest(
  count: number,
  start: (
    lab: Lab,
    host: Awaited<ReturnType<Lab['host']>>,
  ) => Promise<{ process: LabProcess; complete: () => Promise<number>; note: string }>,
): Promise<Figures> {
  const lab = new Lab();
  try {
    const receiver = await lab.host('receiver');
    const feeder = await lab.host('feeder');
    await lab.link(
      { host: receiver, name: 'eth0', addresses: [`${RECEIVER.address}/24`] },
      { host: feeder, name: 'eth0', addresses: [`${FEEDER.address}/24`] },
    );
    const feeding = feeder.spawn(process.execPath, [...NODE, script('feeder.ts'), String(count)], { name: 'feeder' });
    await feeding.waitForOutput(/listening/, 60_000);
    const started = await start(lab, receiver);
    const complete = await started.complete();
    const first = Number((await feeding.waitForOutput(/first (\d+)/))[1]);
    return { seconds: (complete - first) / 1000, peakMb: Math.round(memoryMiB(started.process.pid, 'VmHWM')), note: started.note };
  } finally {
    await lab.dispose();
  }
}

function ingestWeir(count: number): Promise<Figures> {
  return ingest(count, async (_lab, host) => {
    const running = host.spawn(process.execPath, [...NODE, script('weir.ts'), String(count)], { name: 'weir' });
    const complete = async (): Promise<number> => Number((await running.waitForOutput(/done (\d+)/, LIMIT_MS))[1]);
    return { process: running, complete, note: '' };
  });
}

function ingestDaemon(daemon: Daemon, count: number): Promise<Figures> {
  return ingest(count, async (lab, host) => {
    const note = await daemon.version(host);
    const receiver = daemon.start(host, lab.directory('receiver'));
    const complete = async (): Promise<number> => {
      const started = performance.now();
      for (;;) {
        const taken = await receiver.count().catch(() => 0);
        if (taken >= count) return Date.now();
        const waited = performance.now() - started;
        if (waited > LIMIT_MS)
          throw new Error(`${daemon.name} has ${taken} of ${count} routes after ${LIMIT_MS / 1000} s\n${receiver.process.report()}`);
        // Asking costs a slow daemon time of its own.
        await sleep(waited < 3000 ? 25 : 250);
      }
    };
    return { process: receiver.process, complete, note };
  });
}

function row(who: string, figures: Figures, weir: Figures, count: number): Row {
  return {
    who: figures.note === '' ? who : `${who} ${figures.note}`,
    routes: count,
    'attribute sets': Math.ceil(count / PER_UPDATE),
    s: Number(figures.seconds.toFixed(2)),
    'peak MB': figures.peakMb,
    'routes/s': Math.round(count / figures.seconds),
    'time / Weir': Number((figures.seconds / weir.seconds).toFixed(2)),
    'memory / Weir': Number((figures.peakMb / weir.peakMb).toFixed(2)),
    budget: who === 'Weir' ? BUDGET : '',
  };
}

export const bench: Bench = {
  name: 'rib-ingest',
  summary: 'routes over one session into the table, until the last one is there, beside BIRD, GoBGP and FRR',
  needsRoot: true,
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    const count = smoke ? 5000 : ROUTES;
    const weir = await ingestWeir(count);
    const rows: Row[] = [row('Weir', weir, weir, count)];
    for (const daemon of DAEMONS) {
      rows.push(
        ...(await beside(daemon.name, daemon.program, async () => row(daemon.name, await ingestDaemon(daemon, count), weir, count))),
      );
    }
    return rows;
  },
};
