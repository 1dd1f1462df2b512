// Many host routes, from the first octet on the wire to the last element in the kernel, beside one nft for each element.
import { ip } from '@weir/wire/inet';
import { memoryMiB } from '../test/lab/index.ts';
import { type Bench, type BenchOptions, isInstalled, type Row } from './bench.ts';
import { hosts, type Kind, layBed, senderAddress } from './load/bed.ts';
import { Installed } from './load/installed.ts';
import { nftPerElement } from './load/nft-loop.ts';
import { announcements, endOfRib } from './load/raw-sender.ts';

const BUDGET_S = 4;
const SAMPLES = 4096;

export const bench: Bench = {
  name: 'bulk',
  summary: 'host routes from the wire to the kernel, beside one nft for each element',
  needsRoot: true,
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    const cases: readonly (readonly [Kind, number])[] = smoke
      ? [['hash', 10_000]]
      : [
          ['hash', 100_000],
          ['hash', 1_000_000],
          ['interval', 100_000],
        ];
    const rows: Row[] = [];
    for (const [kind, count] of cases) {
      const bed = await layBed(kind, count + 65_536);
      const installed = new Installed(bed.core.path);
      try {
        const all = hosts(0, count);
        const messages = [...announcements(all, ip(senderAddress)), endOfRib()];
        const step = Math.max(1, Math.floor(count / SAMPLES));
        const sample = all.filter((_, i) => i % step === 0 || i === count - 1);
        await bed.weir.start();
        await bed.sender.established();
        const started = performance.now();
        const sent = bed.sender.writeAll(messages);
        await installed.all(sample, 300_000);
        const seconds = (performance.now() - started) / 1000;
        await sent;
        const rss = memoryMiB(bed.weir.pid, 'VmHWM');
        await bed.weir.kill();
        const there = installed.count();
        if (there !== count) throw new Error(`the kernel has ${there} elements, not ${count}`);
        const rate = count / seconds;
        const row: Row = {
          set: kind,
          routes: count,
          seconds: Number(seconds.toFixed(2)),
          'budget s': count === 1_000_000 ? BUDGET_S : '',
          'elements/s': Math.round(rate),
          'peak MB': Math.round(rss),
        };
        if (!isInstalled('nft')) rows.push({ ...row, peer: 'nft is not installed' });
        else {
          const other = await nftPerElement(bed.core, hosts(4_000_000, smoke ? 20 : 200));
          rows.push({ ...row, 'one nft each, elements/s': Number(other.toFixed(1)), ratio: Math.round(rate / other) });
        }
      } finally {
        installed.close();
        await bed.close();
      }
    }
    return rows;
  },
};
