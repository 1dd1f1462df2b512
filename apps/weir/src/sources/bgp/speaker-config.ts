import {
  type Announcer,
  BGP_PORT,
  type DynamicPeers,
  type ListenConfig,
  type MaxPrefixes,
  type PeerConfig,
  type SpeakerConfig,
} from '@weir/bgp/session';
import type { Config, Peer } from '../../model/config.ts';
import type { DistributeClient } from '../../model/distribute.ts';

export interface SpeakerOptions {
  /** Weir has been running before: the first OPEN to each peer carries the R bit (RFC 4724 section 3). */
  readonly restarting: boolean;
  readonly announcer?: Announcer | undefined;
  /** Network namespace of the sockets; that of the process when absent. */
  readonly namespace?: string | undefined;
}

/** The configuration as the BGP speaker takes it; peers of ExaBGP's are not its own. */
export function speakerConfig(config: Config, options: SpeakerOptions): SpeakerConfig {
  const { bgp } = config;
  return {
    localAs: bgp.as,
    routerId: bgp.routerId,
    restarting: options.restarting,
    listen: bgp.listen.map(({ address, port }): ListenConfig => ({ address, port })),
    dynamic: config.distribute?.clients.flatMap(dynamicPeers) ?? [],
    peers: bgp.peers.filter(({ via }) => via !== 'exabgp').map(peerConfig),
    ...(bgp.hostname === undefined ? {} : { hostname: bgp.hostname }),
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(options.announcer === undefined ? {} : { announcer: options.announcer }),
  };
}

/**
 * One configured neighbour. Graceful restart is always offered, with the word that what was announced is as it was: whoever is told of it acts on it, so that our restart changes nothing there.
 * Path identifiers are only received.
 */
export function peerConfig(peer: Peer): PeerConfig {
  return {
    name: peer.name,
    address: peer.address,
    port: peer.port,
    localAs: peer.localAs,
    peerAs: peer.as,
    families: peer.families,
    holdTime: peer.holdTime,
    passive: peer.passive,
    gracefulRestart: { restartTime: peer.restartTime, forwardingPreserved: true },
    addPath: { receive: peer.addPath ? peer.families : [] },
    extendedMessage: peer.extendedMessage,
    strictRole: peer.roleStrict,
    ...(peer.source === undefined ? {} : { source: peer.source }),
    ...(peer.interface === undefined ? {} : { device: peer.interface }),
    ...(peer.password === undefined ? {} : { password: peer.password }),
    ...(peer.ttlSecurity === undefined ? {} : { ttlSecurity: peer.ttlSecurity }),
    ...(peer.multihop === undefined ? {} : { multihop: peer.multihop }),
    ...(peer.role === undefined ? {} : { role: peer.role }),
    ...(peer.longLivedStaleTime === undefined ? {} : { longLivedStaleTime: Math.ceil(peer.longLivedStaleTime / 1000) }),
    ...(peer.maxPrefixes === undefined ? {} : { maxPrefixes: maxPrefixes(peer) }),
  };
}

/** Octets that may wait for one client: many that do not read must not hold much that is not true any more. */
const CLIENT_QUEUE = 1 << 18;

/** Clients that get tables: one group of peers for each of their ranges. What they announce is read and not kept. */
function dynamicPeers(client: DistributeClient): readonly DynamicPeers[] {
  const { name, ranges, as, password, multihop, ttlSecurity, restartTime, longLivedStaleTime, maxSessions } = client;
  return ranges.map((range) => ({
    name,
    range,
    limit: maxSessions,
    callPort: BGP_PORT,
    peer: {
      peerAs: as,
      families: ['ipv4 unicast', 'ipv6 unicast'],
      sendQueue: CLIENT_QUEUE,
      gracefulRestart: { restartTime, forwardingPreserved: true },
      ...(longLivedStaleTime === undefined ? {} : { longLivedStaleTime: Math.ceil(longLivedStaleTime / 1000) }),
      ...(password === undefined ? {} : { password }),
      ...(multihop === undefined ? {} : { multihop }),
      ...(ttlSecurity === undefined ? {} : { ttlSecurity }),
    },
  }));
}

function maxPrefixes(peer: Peer): NonNullable<PeerConfig['maxPrefixes']> {
  const max = peer.maxPrefixes;
  if (!max) return {};
  const one: MaxPrefixes = {
    limit: max.limit,
    warnAt: Math.round(max.warnAt * 100),
    action: max.action,
    restartAfter: Math.ceil(max.restartAfter / 1000),
  };
  return Object.fromEntries(peer.families.map((name) => [name, one]));
}
