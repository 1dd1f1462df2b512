import { parseCommunity } from '@weir/bgp/codec';
import { BgpSpeaker, StaticRoutes } from '@weir/bgp/session';
import { asn, ip, prefix } from '@weir/wire/inet';
import { version } from '../version.ts';
import type { Announcer, Upstream } from './announcer.ts';
import { at, CLUSTER_AS, COMMUNITY, CORE_AS } from './topology.ts';

/** Weir's own speaker in the place of a cluster: it listens and waits for the other side. */
export function startOwnAnnouncer(namespace: string, upstream: Upstream): Announcer {
  const routes = new StaticRoutes();
  const speaker = new BgpSpeaker(
    {
      localAs: asn(CLUSTER_AS),
      routerId: ip(at.cluster.v4),
      namespace,
      listen: [{ address: ip(at.cluster.v4) }],
      peers: [
        {
          name: 'upstream',
          address: ip(upstream.address),
          peerAs: asn(CORE_AS),
          families: ['ipv4 unicast', 'ipv6 unicast'],
          passive: true,
          ...(upstream.multihop ? { multihop: 2 } : {}),
        },
      ],
      announcer: routes,
    },
    () => undefined,
  );
  speaker.start();
  const community = parseCommunity(COMMUNITY);
  if (community === undefined) throw new RangeError(`not a community: ${COMMUNITY}`);
  const services = [prefix(`${at.service.v4}/32`), prefix(`${at.service.v6}/128`)] as const;
  return {
    description: `Weir's own speaker ${version()}`,
    ready: async () => speaker.status('upstream').state.toLowerCase() === 'established',
    announce: async () => {
      // Each family with a next hop of its own, as the session is an IPv4 one.
      services.forEach((service, i) => {
        routes.announce([service], {
          attributes: { communities: [community] },
          nextHop: { address: ip(i === 0 ? at.cluster.v4 : at.cluster.v6) },
        });
      });
    },
    withdraw: async () => routes.withdraw(services),
    close: () => speaker.close(),
  };
}
