import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from './connections.ts';
import { at, CLUSTER_AS, CORE_AS, type Hosts } from './topology.ts';
import { until } from './until.ts';
import type { World } from './world.ts';

/**
 * FRR's bgpd as the edge router, which takes the services by eBGP, and as the core router, which reflects them to Weir on 127.0.0.1: the configurations of
 * examples/frr with short timers. zebra is not needed, as the routes are there.
 */
export async function startFrr(world: World, hosts: Hosts, bgpd: string, signal: AbortSignal): Promise<void> {
  for (const [name, text] of [
    ['edge', EDGE],
    ['core', CORE],
  ] as const) {
    const own = join(world.directory, `frr-${name}`);
    mkdirSync(own);
    const file = join(own, 'bgpd.conf');
    writeFileSync(file, text);
    // -S: as the user that the demo runs as. -Z: without zebra.
    const args = ['-S', '-Z', '-f', file, '-i', join(own, 'bgpd.pid'), '--vty_socket', own, '-P', '0'];
    const daemon = world.start(`bgpd-${name}`, hosts[name], bgpd, [...args, '--log', 'stdout', '--log-level', 'warn']);
    // From an address that is no neighbour's, so that no session begins.
    await until(`FRR in the ${name}`, signal, 10_000, async () => {
      if (daemon.child.exitCode !== null) throw new Error(`bgpd ended\n${world.log(`bgpd-${name}`)}`);
      return (await connect(hosts[name], '127.0.0.2', 179, 200, '127.0.0.3')) === 'open';
    });
  }
}

const FAMILIES = ['ipv4', 'ipv6'] as const;

const family = (name: string, lines: readonly string[]): string =>
  [` address-family ${name} unicast`, ...lines.map((line) => `  ${line}`), ' exit-address-family'].join('\n');

// What a neighbour line names comes before it: bgpd takes up later ones only after seconds, and refuses every route until then.
const EDGE = `frr defaults traditional
hostname edge
ip prefix-list services seq 10 permit ${at.services.v4} le 32
ipv6 prefix-list services seq 10 permit ${at.services.v6} le 128
route-map services-ipv4 permit 10
 match ip address prefix-list services
exit
route-map services-ipv6 permit 10
 match ipv6 address prefix-list services
exit
route-map via-edge permit 10
 set ipv6 next-hop global ${at.edgeToCore.v6}
exit
route-map nothing deny 10
exit
router bgp ${CORE_AS}
 bgp router-id ${at.edgeToCore.v4}
 no bgp default ipv4-unicast
 neighbor ${at.cluster.v4} remote-as ${CLUSTER_AS}
 neighbor ${at.cluster.v4} timers connect 1
 neighbor ${at.core.v4} remote-as ${CORE_AS}
 neighbor ${at.core.v4} timers connect 1
 neighbor ${at.core.v4} advertisement-interval 0
${FAMILIES.map((name) =>
  family(name, [
    `neighbor ${at.cluster.v4} activate`,
    `neighbor ${at.cluster.v4} route-map services-${name} in`,
    `neighbor ${at.cluster.v4} route-map nothing out`,
    `neighbor ${at.core.v4} activate`,
    `neighbor ${at.core.v4} next-hop-self`,
    `neighbor ${at.core.v4} route-map via-edge out`,
  ]),
).join('\n')}
exit
`;

const CORE = `frr defaults traditional
hostname core
route-map nothing deny 10
exit
router bgp ${CORE_AS}
 bgp router-id ${at.core.v4}
 bgp cluster-id ${at.core.v4}
 no bgp default ipv4-unicast
 neighbor ${at.edgeToCore.v4} remote-as ${CORE_AS}
 neighbor ${at.edgeToCore.v4} timers connect 1
 neighbor 127.0.0.1 remote-as ${CORE_AS}
 neighbor 127.0.0.1 passive
 neighbor 127.0.0.1 advertisement-interval 0
${FAMILIES.map((name) =>
  family(name, [
    `neighbor ${at.edgeToCore.v4} activate`,
    `neighbor ${at.edgeToCore.v4} route-map nothing out`,
    'neighbor 127.0.0.1 activate',
    'neighbor 127.0.0.1 route-reflector-client',
    'neighbor 127.0.0.1 route-map nothing in',
  ]),
).join('\n')}
exit
`;
