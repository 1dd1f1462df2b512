// xdp-filter of xdp-tools on one end of a link, with addresses of a set.

import { Assembler, bindProgram } from '@weir/ebpf/asm';
import { attachXdp, BpfMap, BpfProgram, listMaps, updateBatch } from '@weir/ebpf/kernel';
import { inNetworkNamespace, interfaceIndex } from '@weir/sys';
import type { MemberDelta } from '../../apps/weir/src/model/member-delta.ts';
import { type Host, waitFor } from '../../test/lab/index.ts';

/** Entries of its maps. */
export const MOST_ADDRESSES = 10_000;
/** What it notes of an address that is denied as a source. */
const SOURCE = 1;

/**
 * Nanoseconds that a packet from one of these hosts takes in xdp-filter, over a program that drops everything: parsing, look-up and its statistics. `send` says what a packet
 * takes now.
 */
export async function measureXdpFilter(host: Host, device: string, hosts: MemberDelta, send: () => number): Promise<number> {
  const index = inNetworkNamespace(host.path, () => interfaceIndex(device));
  const drop = BpfProgram.load({
    name: 'drop',
    type: 'xdp',
    instructions: bindProgram(new Assembler().mov('r0', 1).exit().assemble(), {}),
  });
  const { link } = attachXdp(drop, { interface: index, netns: host.path });
  const empty = send();
  link.close();
  drop.close();
  const name = `filter_ipv${hosts.family}`;
  const before = new Set(listMaps().map(({ id }) => id));
  // Its pins are its own, and go with it.
  const script = `mount -t bpf bpf /sys/fs/bpf && xdp-filter load ${device} -m native -f ipv${hosts.family} && exec sleep 600`;
  const holder = host.spawn('unshare', ['-m', 'sh', '-c', script], { name: 'xdp-filter' });
  try {
    const { id } = await waitFor('the map of xdp-filter', () => listMaps().find((map) => map.name === name && !before.has(map.id)));
    const map = BpfMap.fromId(id);
    const keys = new Uint8Array(hosts.count * map.keySize);
    const view = new DataView(keys.buffer);
    for (const [i, word] of hosts.words.entries()) view.setUint32(4 * i, word);
    const values = new BigUint64Array((hosts.count * map.valueBytes) / 8).fill(BigInt(SOURCE));
    updateBatch(map, keys, new Uint8Array(values.buffer));
    map.close();
    // The program is attached after its maps are there.
    await waitFor('xdp-filter', async () => (await host.ip('link', 'show', device)).includes('prog/xdp'));
    return send() - empty;
  } finally {
    await holder.kill();
    await host.ip('link', 'set', device, 'xdp', 'off');
  }
}
