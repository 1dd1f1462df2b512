// One route on the wire to its element in the kernel, in a set that has members already, beside ExaBGP with a script that runs nft.
import { setTimeout as sleep } from 'node:timers/promises';
import { ip } from '@weir/wire/inet';
import { type Bench, type BenchOptions, isInstalled, quantile, type Row } from './bench.ts';
import { type Bed, host, hosts, type Kind, layBed, senderAddress } from './load/bed.ts';
import { startExabgp } from './load/exabgp.ts';
import { Installed } from './load/installed.ts';
import { kernelAlone } from './load/kernel-alone.ts';
import { KernelWait } from './load/kernel-wait.ts';
import { announcements, endOfRib, withdrawals } from './load/raw-sender.ts';

const hop = ip(senderAddress);
const TIMEOUT = 20_000;
/** Milliseconds, p50 and p99, at 100,000 members. */
const BUDGET = { hash: '1 / 5', interval: '8 / 25' } as const;

interface Samples {
  readonly announce: readonly number[];
  readonly withdraw: readonly number[];
}

/** Announces and withdraws hosts that are not in the set yet, one at a time. */
async function measure(bed: Bed, first: number, rounds: number): Promise<Samples> {
  const wait = new KernelWait(bed.core.path);
  const announce: number[] = [];
  const withdraw: number[] = [];
  try {
    // The first ones are not counted: code is compiled, caches are cold.
    const warm = Math.ceil(rounds / 5);
    for (let i = 0; i < rounds + warm; i++) {
      const one = host(first + i);
      for (const [messages, present, into] of [
        [announcements([one], hop), true, announce],
        [withdrawals([one]), false, withdraw],
      ] as const) {
        await sleep(2);
        wait.drain();
        const start = performance.now();
        for (const message of messages) bed.sender.write(message);
        const took = wait.element(one.w0, present, start, TIMEOUT);
        if (i >= warm) into.push(took);
      }
    }
  } finally {
    wait.close();
  }
  return { announce, withdraw };
}

async function ofWeir(bed: Bed, size: number, rounds: number): Promise<Samples> {
  await bed.weir.start();
  await bed.sender.established();
  const all = hosts(0, size);
  await bed.sender.writeAll([...announcements(all, hop), endOfRib()]);
  const installed = new Installed(bed.core.path);
  await installed.all(all.slice(-1000), 60_000);
  installed.close();
  await sleep(1000);
  const samples = await measure(bed, size, rounds);
  await bed.weir.kill();
  return samples;
}

async function ofExabgp(bed: Bed, rounds: number): Promise<Samples> {
  const exabgp = await startExabgp(bed);
  await sleep(1000);
  const samples = await measure(bed, 3_000_000, rounds);
  await exabgp.kill();
  return samples;
}

function figure(samples: readonly number[], share: number): number {
  return Number(quantile(samples, share).toFixed(2));
}

export const bench: Bench = {
  name: 'route-to-kernel',
  summary: 'one UPDATE written to a socket until the kernel tells of the element, beside ExaBGP with one nft for each route',
  needsRoot: true,
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    const rows: Row[] = [];
    const cases: readonly (readonly [Kind, number])[] = smoke
      ? [['hash', 200]]
      : [
          ['hash', 1000],
          ['hash', 100_000],
          ['interval', 1000],
          ['interval', 100_000],
        ];
    const beside = isInstalled('exabgp') && isInstalled('nft');
    for (const [kind, size] of cases) {
      const bed = await layBed(kind, 2 * size + 65_536);
      try {
        const weir = await ofWeir(bed, size, smoke ? 5 : 300);
        // The set has the same members for the others: they stay when Weir goes.
        const alone = await kernelAlone(bed, kind, 2_000_000, smoke ? 5 : 100);
        const other = beside ? await ofExabgp(bed, smoke ? 2 : size > 10_000 ? 30 : 100) : undefined;
        for (const what of ['announce', 'withdraw'] as const) {
          const p50 = figure(weir[what], 0.5);
          rows.push({
            set: kind,
            members: size,
            what,
            'p50 ms': p50,
            'p99 ms': figure(weir[what], 0.99),
            'budget ms': size === 100_000 ? BUDGET[kind] : '',
            'kernel alone p50 ms': figure(alone, 0.5),
            ...(other
              ? {
                  'exabgp p50 ms': figure(other[what], 0.5),
                  'exabgp p99 ms': figure(other[what], 0.99),
                  ratio: Number((figure(other[what], 0.5) / p50).toFixed(1)),
                }
              : { peer: 'exabgp or nft is not installed' }),
          });
        }
      } finally {
        await bed.close();
      }
    }
    return rows;
  },
};
