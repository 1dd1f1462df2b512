import type { Host, Lab } from '../lab/index.ts';
import { addresses as at } from './addresses.ts';
import { SpeakerPeer } from './speaker-peer.ts';

/** Where Weir hears routes: a link of its own, which may go down without the services' way going down. */
const peering = { weir: '192.0.2.129', peer: '192.0.2.130' } as const;

/**
 * A small border: internet --eth0-- core --wg0-- cluster, and a peering link between core and cluster. The neighbour is Weir's own speaker. `wg0` is a
 * veth pair, so that the firewalls of the examples fit.
 */
export interface Gate {
  readonly internet: Host;
  readonly core: Host;
  readonly cluster: Host;
  readonly peer: SpeakerPeer;
}

export async function buildGate(lab: Lab, options: { readonly holdTime?: number } = {}): Promise<Gate> {
  const internet = await lab.host('internet');
  const core = await lab.host('core', { forwarding: true });
  const cluster = await lab.host('cluster');
  await lab.link(
    { host: core, name: 'eth0', addresses: [`${at.border.v4}/25`, `${at.border.v6}/64`] },
    { host: internet, name: 'eth0', addresses: [`${at.internet.v4}/25`, `${at.internet.v6}/64`] },
  );
  await lab.link(
    { host: core, name: 'wg0', addresses: [`${at.wg.core.v4}/30`, `${at.wg.core.v6}/64`] },
    { host: cluster, name: 'eth0', addresses: [`${at.wg.edge.v4}/30`, `${at.wg.edge.v6}/64`] },
  );
  await lab.link(
    { host: core, name: 'bgp0', addresses: [`${peering.weir}/30`] },
    { host: cluster, name: 'bgp0', addresses: [`${peering.peer}/30`] },
  );
  for (const family of ['v4', 'v6'] as const) {
    await internet.route('default', { via: at.border[family] });
    await core.route(at.services[family], { via: at.wg.edge[family] });
    await cluster.route('default', { via: at.wg.core[family] });
    for (const address of [at.service[family], at.other[family]]) {
      await cluster.addAddress('lo', `${address}/${family === 'v4' ? 32 : 128}`);
      for (const port of [22, 80, 443]) await cluster.tcpServer(address, port);
    }
  }
  const peer = new SpeakerPeer({
    namespace: cluster.path,
    address: peering.peer,
    as: 64513,
    weir: { address: peering.weir, as: 64512 },
    ...options,
  });
  lab.onDispose(() => peer.stop());
  return { internet, core, cluster, peer };
}

/** The peer of a gate as Weir's configuration has it. */
export const gatePeer: string = `{ name: cluster, address: ${peering.peer}, as: 64513, hold_time: 3 }`;

const head = `bgp:
  as: 64512
  router_id: 192.0.2.1
  peers:
    - ${gatePeer}
`;

const set = `sets:
  web_allowed:
    kind: allow
    communities: ["64512:80"]
    guard: { prefixes: [203.0.113.0/24, "2001:db8::/32"], max_members: 10000, peers: [cluster] }
    on_session_loss: hold 2m
    on_withdraw: keep
`;

/** Weir fills the sets of examples/nftables/core_fw.nft. */
export const userTableConfig = `${head}${set}    nft: { family: inet, table: core_fw, ipv4: web_allowed_v4, ipv6: web_allowed_v6 }
`;

/** Weir owns the table. */
export const ownedTableConfig = `${head}${set}firewall:
  borders:
    - name: internet
      from: [eth0]
      to: [wg0]
      allow:
        - { set: web_allowed, protocol: tcp, ports: [80, 443] }
`;
