import { readFileSync } from 'node:fs';
import type { Host, Lab } from '../lab/index.ts';
import { addresses as at } from './addresses.ts';
import { example, FrrRouter, GobgpCluster } from './routers.ts';
import { wireGuardLink } from './wireguard.ts';

/**
 * The border of the shipped examples with the real daemons, each in its namespace:
 *
 *     internet --eth0-- core (FRR, Weir, the firewall) ==wg0== edge (FRR) ---- cluster (gobgpd, the services)
 *
 * The way to the services is there from the beginning, so that nothing but the firewall opens and closes them.
 */
export interface Border {
  readonly internet: Host;
  readonly core: Host;
  readonly edge: Host;
  readonly cluster: Host;
}

export interface BorderOptions {
  /** What `wg0` is: a WireGuard link, or for tests of many packets a veth pair of that name. */
  readonly tunnel: 'wireguard' | 'veth';
}

/** Hosts, links and addresses; no daemon yet. */
export async function buildBorder(lab: Lab, { tunnel }: BorderOptions): Promise<Border> {
  const internet = await lab.host('internet');
  const core = await lab.host('core', { forwarding: true });
  const edge = await lab.host('edge', { forwarding: true });
  const cluster = await lab.host('cluster');
  await lab.link(
    { host: core, name: 'eth0', addresses: [`${at.border.v4}/25`, `${at.border.v6}/64`] },
    { host: internet, name: 'eth0', addresses: [`${at.internet.v4}/25`, `${at.internet.v6}/64`] },
  );
  await lab.link(
    { host: edge, name: 'eth1', addresses: [`${at.edge.v4}/30`, `${at.edge.v6}/64`] },
    { host: cluster, name: 'eth0', addresses: [`${at.cluster.v4}/30`, `${at.cluster.v6}/64`] },
  );
  const ends = {
    core: [`${at.wg.core.v4}/30`, `${at.wg.core.v6}/64`],
    edge: [`${at.wg.edge.v4}/30`, `${at.wg.edge.v6}/64`],
  };
  if (tunnel === 'veth') {
    await lab.link({ host: core, name: 'wg0', addresses: ends.core }, { host: edge, name: 'wg0', addresses: ends.edge });
  } else {
    await lab.link(
      { host: core, name: 'eth1', addresses: [`${at.underlay.core}/30`] },
      { host: edge, name: 'eth0', addresses: [`${at.underlay.edge}/30`] },
    );
    await wireGuardLink(
      lab,
      { host: core, underlay: at.underlay.edge, addresses: ends.core },
      { host: edge, underlay: at.underlay.core, addresses: ends.edge },
    );
  }
  for (const family of ['v4', 'v6'] as const) {
    await internet.route('default', { via: at.border[family] });
    await core.route(at.services[family], { via: at.wg.edge[family] });
    await edge.route('default', { via: at.wg.core[family] });
    await edge.route(at.services[family], { via: at.cluster[family] });
    await cluster.route('default', { via: at.edge[family] });
    for (const address of [at.service[family], at.other[family]])
      await cluster.addAddress('lo', `${address}/${family === 'v4' ? 32 : 128}`);
  }
  return { internet, core, edge, cluster };
}

export interface Daemons {
  readonly core: FrrRouter;
  readonly edge: FrrRouter;
  readonly cluster: GobgpCluster;
}

/** gobgpd, FRR and FRR with the shipped configurations. */
export async function startDaemons(lab: Lab, border: Border): Promise<Daemons> {
  const [core, edge, cluster] = await Promise.all([
    FrrRouter.start(lab, border.core, 'frr/core.conf'),
    FrrRouter.start(lab, border.edge, 'frr/edge.conf'),
    GobgpCluster.start(border.cluster),
  ]);
  return { core, edge, cluster };
}

/** The user's own firewall, as shipped. */
export async function loadFirewall(border: Border): Promise<void> {
  await border.core.nft(readFileSync(example('nftables/core_fw.nft'), 'utf8'));
}

/** Web and ssh servers on every address of the cluster. */
export async function serve(border: Border): Promise<void> {
  for (const address of [at.service.v4, at.service.v6, at.other.v4, at.other.v6])
    for (const port of [22, 80, 443]) await border.cluster.tcpServer(address, port);
}
