// A daemon that was killed, started again over a set that is full: when it has its session, when it is in step, and how much it sends to the kernel.
import { setTimeout as sleep } from 'node:timers/promises';
import { ip } from '@weir/wire/inet';
import { type Bench, type BenchOptions, isInstalled, type Row } from './bench.ts';
import { type Bed, hosts, layBed, senderAddress } from './load/bed.ts';
import { Installed } from './load/installed.ts';
import { nftPerElement } from './load/nft-loop.ts';
import { announcements, endOfRib } from './load/raw-sender.ts';

const hop = ip(senderAddress);

interface Figures {
  readonly session: number;
  readonly reconciled: number;
  readonly sent: number;
  readonly commits: number;
}

/** Starts the daemon, gives it `messages`, and waits until it has heard of every member of the set again. */
async function restart(bed: Bed, installed: Installed, messages: readonly Uint8Array[], members: number): Promise<Figures> {
  const generation = installed.generation();
  const up = bed.sender.next();
  const started = performance.now();
  bed.weir.launch();
  await up;
  const session = performance.now() - started;
  await bed.sender.writeAll(messages);
  for (;;) {
    const status = await bed.weir.ask((client) => client.call('status', {}));
    const set = status?.sets[0];
    const target = set?.targets.find((one) => one.family === 'ipv4');
    if (
      status &&
      set &&
      target &&
      set.stale === 0 &&
      set.members === members &&
      target.installed === members &&
      status.bgp.converged === 1
    ) {
      return {
        session,
        reconciled: performance.now() - started,
        sent: status.kernel.elements_sent,
        commits: installed.generation() - generation,
      };
    }
    if (performance.now() - started > 120_000) throw new Error(bed.weir.report());
    await sleep(10);
  }
}

export const bench: Bench = {
  name: 'restart',
  summary: 'the daemon killed and started again over a full set (the quiet time after End-of-RIB is 500 ms here)',
  needsRoot: true,
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    const members = smoke ? 2000 : 100_000;
    const changed = members / 100;
    const bed = await layBed('hash', members + 65_536);
    const installed = new Installed(bed.core.path);
    try {
      const whole = [...announcements(hosts(0, members), hop), endOfRib()];
      await restart(bed, installed, whole, members);
      await bed.weir.kill();
      const same = await restart(bed, installed, whole, members);
      await bed.weir.kill();
      const other = await restart(bed, installed, [...announcements(hosts(changed, members), hop), endOfRib()], members);
      await bed.weir.kill();
      if (same.sent !== 0) throw new Error(`${same.sent} elements were sent though nothing had changed`);
      if (installed.missing(hosts(changed, members)).length > 0 || installed.count() !== members)
        throw new Error('the kernel has other members');
      const peer = isInstalled('nft') ? (members / (await nftPerElement(bed.core, hosts(4_000_000, smoke ? 20 : 200)))) * 1000 : undefined;
      const row = (what: string, { session, reconciled, sent, commits }: Figures): Row => ({
        what,
        members,
        'to session ms': Math.round(session),
        'to reconciled ms': Math.round(reconciled),
        'elements sent': sent,
        commits,
        ...(peer === undefined
          ? { peer: 'nft is not installed' }
          : { 'flush and one nft each, ms (from a sample)': Math.round(peer), ratio: Math.round(peer / reconciled) }),
      });
      return [row('nothing changed', same), row(`${changed} gone, ${changed} new`, other)];
    } finally {
      installed.close();
      await bed.close();
    }
  },
};
