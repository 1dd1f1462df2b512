// One route on the wire to its element in the kernel, in a set that has members already, beside ExaBGP with a script that runs nft.
import { setTimeout as sleep } from 'node:timers/promises';
import { ip } from '@weir/wire/inet';
import { type Bench, type BenchOptions, isInstalled, type Row } from './bench.ts';
import { type Bed, host, hosts, type Kind, layBed, senderAddress } from './load/bed.ts';
import { exabgpColumns, startExabgp } from './load/exabgp.ts';
import { Installed } from './load/installed.ts';
import { kernelAlone } from './load/kernel-alone.ts';
import { KernelWait } from './load/kernel-wait.ts';
import { announcements, endOfRib, withdrawals } from './load/raw-sender.ts';
import { CHANGES, figure, type Samples, sample } from './load/samples.ts';

const hop = ip(senderAddress);
const TIMEOUT = 20_000;
/** Milliseconds, p50 and p99, at 100,000 members. */
const BUDGET = { hash: '1 / 5', interval: '8 / 25' } as const;

/** Announces and withdraws hosts that are not in the set yet, one at a time. */
async function measure(bed: Bed, first: number, rounds: number): Promise<Samples> {
  const wait = new KernelWait(bed.core.path);
  try {
    return await sample(rounds, async (change, round) => {
      const one = host(first + round);
      const messages = change === 'announce' ? announcements([one], hop) : withdrawals([one]);
      await sleep(2);
      wait.drain();
      const start = performance.now();
      for (const message of messages) bed.sender.write(message);
      return wait.element(one.w0, change === 'announce', start, TIMEOUT);
    });
  } finally {
    wait.close();
  }
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
        for (const what of CHANGES) {
          rows.push({
            set: kind,
            members: size,
            what,
            'p50 ms': figure(weir[what], 0.5),
            'p99 ms': figure(weir[what], 0.99),
            'budget ms': size === 100_000 ? BUDGET[kind] : '',
            'kernel alone p50 ms': figure(alone, 0.5),
            ...exabgpColumns(other?.[what], weir[what], 'nft'),
          });
        }
      } finally {
        await bed.close();
      }
    }
    return rows;
  },
};
