import { buildEthernet } from '@weir/filter/packet';
import { NftClient } from '@weir/netlink/nftables';
import { PacketSocket } from '@weir/sys';
import { type Host, Lab } from '../lab/index.ts';
import { probe, type Sights } from './packet-probes.ts';

/** Ethernet address of the receiving interface. */
export const HERE: Uint8Array = Uint8Array.of(2, 0, 0, 0, 0, 0x51);

export interface ProbeLab {
  readonly receiver: Host;
  /** See `probe` of packet-probes.ts. */
  readonly probe: (frames: readonly Uint8Array[], conntrack: boolean) => Sights;
  readonly close: () => Promise<void>;
}

/** Two hosts and a link; frames that one sends come to the prerouting hook of the other. */
export async function openProbeLab(): Promise<ProbeLab> {
  const lab = new Lab();
  const sender = await lab.host('sender');
  const receiver = await lab.host('receiver');
  await lab.link({ host: sender, name: 'tx0' }, { host: receiver, name: 'rx0' }, { mtu: 9000 });
  await receiver.ip('link', 'set', 'rx0', 'address', [...HERE].map((octet) => octet.toString(16).padStart(2, '0')).join(':'));
  const client = new NftClient({ netns: receiver.path });
  const socket = PacketSocket.open({ interface: 'tx0', netns: sender.path });
  lab.onDispose(() => {
    client.close();
    socket.close();
  });
  return { receiver, probe: (frames, conntrack) => probe(client, socket, frames, conntrack), close: () => lab.dispose() };
}

/** A frame to the receiver. */
export function frameOf(packet: Uint8Array, tags: readonly { readonly id: number }[] = []): Uint8Array {
  return buildEthernet({ destination: HERE, tags }, (packet[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800, packet);
}

export type Random = (below: number) => number;

/** Mulberry32. */
export function generator(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
