import type { World } from './world.ts';

/** Addresses of the demo's hosts: those of the examples. */
export const at = {
  internet: { v4: '198.51.100.2', v6: '2001:db8:f::2' },
  border: { v4: '198.51.100.1', v6: '2001:db8:f::1' },
  core: { v4: '192.0.2.9', v6: '2001:db8:ff::1' },
  edgeToCore: { v4: '192.0.2.10', v6: '2001:db8:ff::2' },
  edge: { v4: '198.51.100.129', v6: '2001:db8:e::1' },
  cluster: { v4: '198.51.100.130', v6: '2001:db8:e::2' },
  services: { v4: '203.0.113.0/24', v6: '2001:db8:80::/48' },
  service: { v4: '203.0.113.80', v6: '2001:db8:80::80' },
} as const;

export const COMMUNITY = '64512:80';
export const CORE_AS = 64512;
export const CLUSTER_AS = 64513;
export const SERVICE_PORTS: readonly number[] = [22, 80, 443];

/** Namespaces by the host that each is. */
export interface Hosts {
  readonly internet: string;
  readonly core: string;
  readonly edge: string;
  readonly cluster: string;
}

/**
 * internet -- core (the firewall) -- edge -- cluster. The way to the services is there from the beginning, so that nothing but the firewall opens and closes
 * them.
 */
export function buildTopology(world: World): Hosts {
  const hosts: Hosts = {
    internet: world.namespace('internet'),
    core: world.namespace('core'),
    edge: world.namespace('edge'),
    cluster: world.namespace('cluster'),
  };
  const veth = (name: string, peer: string, other: string): string => `link add ${name} type veth peer name ${peer} netns ${other}`;
  const up = (device: string, v4: string, v6: string): readonly string[] => [
    `link set ${device} up`,
    `address add ${v4} dev ${device}`,
    `address add ${v6} dev ${device} nodad`,
  ];
  const route = (
    to: { readonly v4: string; readonly v6: string },
    via: { readonly v4: string; readonly v6: string },
  ): readonly string[] => [`route add ${to.v4} via ${via.v4}`, `route add ${to.v6} via ${via.v6}`];
  const everywhere = { v4: 'default', v6: 'default' };
  for (const host of [hosts.core, hosts.edge]) {
    world.sysctl(host, 'net/ipv4/ip_forward', 1);
    world.sysctl(host, 'net/ipv6/conf/all/forwarding', 1);
  }
  world.ip(hosts.core, [veth('internet', 'core', hosts.internet), veth('edge', 'core', hosts.edge)]);
  world.ip(hosts.edge, [veth('cluster', 'edge', hosts.cluster)]);
  world.ip(hosts.core, [
    ...up('internet', `${at.border.v4}/25`, `${at.border.v6}/64`),
    ...up('edge', `${at.core.v4}/30`, `${at.core.v6}/64`),
  ]);
  world.ip(hosts.internet, [...up('core', `${at.internet.v4}/25`, `${at.internet.v6}/64`), ...route(everywhere, at.border)]);
  world.ip(hosts.edge, [
    ...up('core', `${at.edgeToCore.v4}/30`, `${at.edgeToCore.v6}/64`),
    ...up('cluster', `${at.edge.v4}/30`, `${at.edge.v6}/64`),
    ...route(everywhere, at.core),
  ]);
  world.ip(hosts.cluster, [
    ...up('edge', `${at.cluster.v4}/30`, `${at.cluster.v6}/64`),
    `address add ${at.service.v4}/32 dev lo`,
    `address add ${at.service.v6}/128 dev lo nodad`,
    ...route(everywhere, at.edge),
  ]);
  world.ip(hosts.core, [...route({ v4: at.cluster.v4, v6: at.cluster.v6 }, at.edgeToCore), ...route(at.services, at.edgeToCore)]);
  world.ip(hosts.edge, route(at.services, at.cluster));
  return hosts;
}
