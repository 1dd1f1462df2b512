// What it costs to look up the address of a packet in a named set: Weir's programs beside the kernel's own structures, by test runs; beside nft and ipset, by packets through a veth pair.
import type { PinDirectory } from '@weir/ebpf/kernel';
import { finishChecksum, sumWords } from '@weir/filter/packet';
import { PacketSocket } from '@weir/sys';
import type { Family } from '@weir/wire/inet';
import { TrieList } from '../apps/weir/src/kernel/ebpf/sets/index.ts';
import type { MemberDelta } from '../apps/weir/src/model/member-delta.ts';
import { type Host, Lab } from '../test/lab/index.ts';
import { type Bench, type BenchOptions, isInstalled, quantile, type Row } from './bench.ts';
import { elements, ipsetScript, nftTable } from './load/kernel-sets.ts';
import { byKey, fillKernelMap, inSet, Keys, readOnly } from './load/lookups.ts';
import { type MemberKind, makeKeys, makeMembers } from './load/members.ts';
import { MOST_ADDRESSES, measureXdpFilter } from './load/xdp-filter.ts';

const KEYS = 1 << 18;
const FRAMES = 2048;
/** Milliseconds for a peer to take a million members. */
const PATIENCE = 300_000;
const RECEIVER = [2, 0, 0, 0, 0, 2] as const;
const DATA = new Uint8Array(64);

export interface Effort {
  readonly rounds: number;
  readonly runs: number;
  readonly packets: number;
}

/** Nanoseconds of one run: of the best of some rounds, in which the machine did little else. */
function time(program: { run(options: object): { readonly nanoseconds: number }; close(): void }, { rounds, runs }: Effort): number {
  const times = Array.from({ length: rounds }, () => program.run({ data: DATA, repeat: runs, discard: true }).nanoseconds);
  program.close();
  return Math.min(...times);
}

/** A list that is not pinned: it goes with this process. */
function unpinned(family: Family): TrieList {
  const nowhere = { pin: () => undefined, map: () => undefined } as unknown as PinDirectory;
  return TrieList.open({ family }, nowhere, 'bench');
}

/** Programs, by test runs. */
function measurePrograms(members: MemberDelta, octets: Uint8Array, effort: Effort): Row {
  const { family, count } = members;
  const keys = new Keys(family, octets);
  const list = unpinned(family);
  try {
    const began = process.cpuUsage();
    list.apply(members);
    const { user, system } = process.cpuUsage(began);
    const filled = ((user + system) * 1000) / count;
    const empty = time(readOnly(keys), effort);
    const own = time(inSet(keys, list.map), effort) - empty;
    const lpm = fillKernelMap('lpm_trie', members);
    const byLpm = time(byKey(keys, lpm), effort) - empty;
    lpm.close();
    const row = { 'weir ns': own, 'LPM trie ns': byLpm, 'times LPM': byLpm / own };
    // Of hosts alone.
    if (!members.lengths.every((length) => length === (family === 4 ? 32 : 128))) return { ...row, 'fill ns': filled };
    const hash = fillKernelMap('hash', members);
    const byHash = time(byKey(keys, hash), effort) - empty;
    hash.close();
    return { ...row, 'hash ns': byHash, 'fill ns': filled };
  } finally {
    list.close();
    keys.close();
  }
}

/** Frames of UDP from these addresses. */
export function frames(family: Family, octets: Uint8Array): Uint8Array[] {
  const size = family === 4 ? 4 : 16;
  return Array.from({ length: FRAMES }, (_, i) => {
    const out = new Uint8Array(64);
    const view = new DataView(out.buffer);
    out.set(RECEIVER);
    out.set([2, 0, 0, 0, 0, 1], 6);
    view.setUint16(12, family === 4 ? 0x0800 : 0x86dd);
    const source = octets.subarray(i * size, (i + 1) * size);
    if (family === 4) {
      view.setUint32(14, 0x4500_0032);
      view.setUint16(22, 64 * 256 + 17);
      out.set(source, 26);
      view.setUint32(30, 0xc633_6401);
      view.setUint16(24, finishChecksum(sumWords(out.subarray(14, 34))));
    } else {
      view.setUint32(14, 0x6000_0000);
      view.setUint32(18, 10 * 65_536 + 17 * 256 + 64);
      out.set(source, 22);
      view.setUint32(38, 0x2001_0db8);
    }
    return out;
  });
}

/** Nanoseconds of this process's CPU that a packet takes, of the best round: sending and receiving are one call chain, and what others do meanwhile is left out. */
export function send(socket: PacketSocket, all: readonly Uint8Array[], { rounds, packets }: Effort): number {
  const times: number[] = [];
  for (let round = 0; round < Math.max(2, rounds / 2); round++) {
    const began = process.cpuUsage();
    let sent = 0;
    while (sent < packets) sent += socket.send(all);
    const { user, system } = process.cpuUsage(began);
    times.push(((user + system) * 1000) / sent);
  }
  return quantile(times, 0);
}

async function measureNft(
  host: Host,
  socket: PacketSocket,
  members: MemberDelta,
  all: readonly Uint8Array[],
  effort: Effort,
): Promise<number> {
  const ip = members.family === 4 ? 'ip' : 'ip6';
  await host.nft(nftTable(members.family));
  const empty = send(socket, all, effort);
  await host.nft(`delete table ${ip} peer`);
  await host.exec('nft', ['-f', '-'], { input: nftTable(members.family, elements(members)), timeoutMs: PATIENCE });
  const found = send(socket, all, effort);
  await host.nft(`delete table ${ip} peer`);
  return found - empty;
}

async function measureIpset(
  host: Host,
  socket: PacketSocket,
  members: MemberDelta,
  all: readonly Uint8Array[],
  effort: Effort,
): Promise<number> {
  const tables = members.family === 4 ? 'iptables' : 'ip6tables';
  await host.exec('ipset', ['-exist', 'restore'], { input: ipsetScript(members), timeoutMs: PATIENCE });
  await host.exec(tables, ['-t', 'raw', '-P', 'PREROUTING', 'DROP']);
  const empty = send(socket, all, effort);
  await host.exec(tables, ['-t', 'raw', '-A', 'PREROUTING', '-m', 'set', '--match-set', 's', 'src', '-j', 'DROP']);
  const found = send(socket, all, effort);
  await host.exec(tables, ['-t', 'raw', '-F']);
  await host.exec(tables, ['-t', 'raw', '-P', 'PREROUTING', 'ACCEPT']);
  await host.exec('ipset', ['destroy', 's']);
  return found - empty;
}

/** A host with a veth pair. */
export async function lay(lab: Lab, name = 'sets'): Promise<Host> {
  const host = await lab.host(name);
  await host.ip('link', 'add', 'tx0', 'type', 'veth', 'peer', 'name', 'rx0');
  await host.ip('link', 'set', 'rx0', 'address', RECEIVER.map((octet) => octet.toString(16).padStart(2, '0')).join(':'));
  for (const name of ['tx0', 'rx0']) await host.ip('link', 'set', name, 'up');
  return host;
}

export const bench: Bench = {
  name: 'set-lookup',
  summary: 'nanoseconds to look up an address in a named set, over the cost of reading the address; half of the addresses are in members',
  needsRoot: true,
  async run({ smoke }: BenchOptions) {
    const effort: Effort = smoke ? { rounds: 2, runs: 1000, packets: 4000 } : { rounds: 16, runs: 20_000, packets: 60_000 };
    const lab = new Lab();
    const rows: Row[] = [];
    try {
      const host = await lay(lab);
      const socket = PacketSocket.open({ interface: 'tx0', netns: host.path });
      try {
        for (const family of [4, 6] as const)
          for (const kind of ['prefixes', 'hosts'] satisfies readonly MemberKind[])
            for (const count of smoke ? [1000] : [1000, 10_000, 100_000, 1_000_000]) {
              const members = makeMembers(family, kind, count);
              const octets = makeKeys(members, smoke ? 1 << 12 : KEYS);
              const programs = measurePrograms(members, octets, effort);
              const all = frames(family, octets);
              const nft = isInstalled('nft') ? { 'nft interval ns': await measureNft(host, socket, members, all, effort) } : {};
              const ipset = isInstalled('ipset') ? { 'ipset hash:net ns': await measureIpset(host, socket, members, all, effort) } : {};
              // Every other address is in a member.
              const hits = all.filter((_, i) => i % 2 === 0);
              const filter =
                kind === 'hosts' && count <= MOST_ADDRESSES && isInstalled('xdp-filter')
                  ? { 'xdp-filter ns': await measureXdpFilter(host, 'rx0', members, () => send(socket, hits, effort)) }
                  : {};
              rows.push({ set: `IPv${family} ${kind}`, members: count, ...programs, ...nft, ...ipset, ...filter });
            }
      } finally {
        socket.close();
      }
    } finally {
      await lab.dispose();
    }
    return rows;
  },
};
