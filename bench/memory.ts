// What named sets take of the kernel's memory: Weir's maps beside the kernel's own structures, nft interval sets and ipset.
import type { PinDirectory } from '@weir/ebpf/kernel';
import type { Family } from '@weir/wire/inet';
import { TrieList } from '../apps/weir/src/kernel/ebpf/sets/index.ts';
import type { MemberDelta } from '../apps/weir/src/model/member-delta.ts';
import { type Host, Lab } from '../test/lab/index.ts';
import { type Bench, type BenchOptions, isInstalled, type Row } from './bench.ts';
import { elements, ipsetScript, kernelMemory, nftTable } from './load/kernel-sets.ts';
import { fillKernelMap } from './load/lookups.ts';
import { makeMembers } from './load/members.ts';

const MIB = 2 ** 20;
/** Milliseconds for a peer to take a million members. */
const PATIENCE = 300_000;

/** MiB that the kernel has more after `make` than before. What else the machine does is in it too. */
async function grown(make: () => unknown): Promise<number> {
  const before = kernelMemory();
  await make();
  return (kernelMemory() - before) / MIB;
}

/** Of Weir's map: what it has, and what of it holds something. */
function measureOwn(members: MemberDelta): Row {
  const { family } = members;
  const nowhere = { pin: () => undefined, map: () => undefined } as unknown as PinDirectory;
  const list = TrieList.open({ family: family as Family }, nowhere, 'bench');
  list.apply(members);
  const { octets, filled } = list.pressure();
  list.close();
  return { 'weir MiB': octets / MIB, 'of it used': (filled * octets) / MIB, 'octets a member': octets / members.count };
}

async function measureMap(type: 'lpm_trie' | 'hash', members: MemberDelta): Promise<number> {
  let close = (): void => undefined;
  const memory = await grown(() => {
    const map = fillKernelMap(type, members);
    close = () => map.close();
  });
  close();
  return memory;
}

async function measurePeers(host: Host, members: MemberDelta): Promise<Row> {
  const ip = members.family === 4 ? 'ip' : 'ip6';
  const row: Record<string, number> = {};
  if (isInstalled('nft')) {
    const input = nftTable(members.family, elements(members));
    row['nft interval MiB'] = await grown(() => host.exec('nft', ['-f', '-'], { input, timeoutMs: PATIENCE }));
    await host.nft(`delete table ${ip} peer`);
  }
  if (isInstalled('ipset')) {
    const input = ipsetScript(members);
    await host.exec('ipset', ['-exist', 'restore'], { input, timeoutMs: PATIENCE });
    const { stdout } = await host.exec('ipset', ['list', '-t', 's']);
    // As ipset counts it.
    row['ipset hash:net MiB'] = Number(/^Size in memory: (\d+)$/m.exec(stdout)?.[1] ?? Number.NaN) / MIB;
    await host.exec('ipset', ['destroy', 's']);
  }
  return row;
}

export const bench: Bench = {
  name: 'memory',
  summary: 'MiB of the kernel for a named set',
  needsRoot: true,
  async run({ smoke }: BenchOptions) {
    const lab = new Lab();
    const rows: Row[] = [];
    try {
      const host = await lab.host('memory');
      for (const family of [4, 6] as const)
        for (const kind of ['prefixes', 'hosts'] as const)
          for (const count of smoke ? [1000] : [1000, 10_000, 100_000, 1_000_000]) {
            const members = makeMembers(family, kind, count);
            const row = {
              set: `IPv${family} ${kind}`,
              members: count,
              ...measureOwn(members),
              'LPM trie MiB': await measureMap('lpm_trie', members),
            };
            const hash = kind === 'hosts' ? { 'hash MiB': await measureMap('hash', members) } : {};
            rows.push({ ...row, ...hash, ...(await measurePeers(host, members)) });
          }
    } finally {
      await lab.dispose();
    }
    return rows;
  },
};
