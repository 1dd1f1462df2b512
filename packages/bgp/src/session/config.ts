import type { Asn, Ip } from '@weir/wire/inet';
import type { FamilyName } from '../codec/index.ts';
import type { BackOff, FsmConfig, PeerAs, Role } from '../fsm/index.ts';
import type { Announcer } from './announcer.ts';
import type { DynamicPeers } from './dynamic-peers.ts';

/** What happens when a peer has sent too many prefixes of a family. */
export interface MaxPrefixes {
  readonly limit: number;
  /** Percent of the limit at which a warning is given; 75 when absent. */
  readonly warnAt?: number;
  /** `warn` says so; `block` asks the consumer to take no more; `restart` ends the session with Cease/Maximum Number of Prefixes Reached. */
  readonly action: 'warn' | 'block' | 'restart';
  /** Seconds until the session may come back after `restart`; it stays down until started by hand when absent. */
  readonly restartAfter?: number;
}

/** One neighbour. Everything but `name`, `address`, `peerAs` and `families` has a default. */
export interface PeerConfig {
  /** Names the peer in events and operations. */
  readonly name: string;
  readonly address: Ip;
  /** 179 */
  readonly port?: number;
  /** The AS that we are towards this peer; the speaker's own when absent. */
  readonly localAs?: Asn;
  readonly peerAs: PeerAs;
  readonly families: readonly FamilyName[];
  /** Seconds: 0 or 3-65535; 90. */
  readonly holdTime?: number;
  /** Seconds; 3. */
  readonly minHoldTime?: number;
  /** Seconds without progress in sending (RFC 9687); 8 minutes or twice the hold time. */
  readonly sendHoldTime?: number;
  /** Only waits for the peer to connect. */
  readonly passive?: boolean;
  /** Milliseconds; from 2,000 to 30,000. */
  readonly connectRetry?: BackOff;
  /** Milliseconds; from 1,000 to 60,000. */
  readonly idleHold?: BackOff;
  /** Seconds in which an OPEN must arrive; 60. */
  readonly openTime?: number;
  /** Seconds to wait for the peer's OPEN before sending our own; 0. */
  readonly delayOpen?: number;
  /** Local address of connections that we open. */
  readonly source?: Ip;
  /** Interface or VRF device of connections that we open; needed where `address` is link-local. */
  readonly device?: string;
  /** TCP MD5 (RFC 2385), at most 80 octets of UTF-8. */
  readonly password?: string;
  /** GTSM (RFC 5082): the number of hops that the peer is away, 1 when directly connected. */
  readonly ttlSecurity?: number;
  /** Time to live of what we send. When absent, 1 towards external peers, which are then directly connected, and the system's default towards internal ones. */
  readonly multihop?: number;
  /** Offered unless `false`; restart time in seconds, 120. */
  readonly gracefulRestart?: false | { readonly restartTime?: number; readonly forwardingPreserved?: boolean };
  /** Seconds, offered for every family (RFC 9494); not offered when absent. */
  readonly longLivedStaleTime?: number;
  readonly addPath?: { readonly receive?: readonly FamilyName[]; readonly send?: readonly FamilyName[] };
  /** RFC 8654; true. */
  readonly extendedMessage?: boolean;
  /** IPv4 routes with IPv6 next hops (RFC 8950); true. */
  readonly extendedNextHop?: boolean;
  /** Our role towards an external peer (RFC 9234). */
  readonly role?: Role;
  readonly strictRole?: boolean;
  readonly maxPrefixes?: Partial<Readonly<Record<FamilyName, MaxPrefixes>>>;
  /** Octets of messages that may wait to be sent; 1 MiB. */
  readonly sendQueue?: number;
}

/** Where to listen. */
export interface ListenConfig {
  readonly address: Ip;
  /** 179; 0 lets the kernel choose. */
  readonly port?: number;
  readonly device?: string;
}

export interface SpeakerConfig {
  readonly localAs: Asn;
  /** IPv4, not 0.0.0.0. */
  readonly routerId: Ip;
  readonly hostname?: string;
  readonly domain?: string;
  /** Network namespace, by name or path, that every socket is opened in; that of the process when absent. */
  readonly namespace?: string;
  /** We have been running before: the first OPEN to each peer carries the R bit (RFC 4724), to peers from ranges in the first five minutes. */
  readonly restarting?: boolean;
  readonly listen?: readonly ListenConfig[];
  readonly peers: readonly PeerConfig[];
  /** Ranges from which peers connect that are not in `peers`. */
  readonly dynamic?: readonly DynamicPeers[];
  /** Sends routes. Without one End-of-RIB is sent as soon as a session is up. */
  readonly announcer?: Announcer;
}

export const BGP_PORT: number = 179;
export const DEFAULT_SEND_QUEUE: number = 1 << 20;

/** What the state machine goes by, with defaults filled in. */
export function fsmConfig(speaker: SpeakerConfig, peer: PeerConfig, restarting: boolean): FsmConfig {
  const restart = peer.gracefulRestart ?? {};
  return {
    localAs: peer.localAs ?? speaker.localAs,
    peerAs: peer.peerAs,
    routerId: speaker.routerId,
    families: peer.families,
    holdTime: peer.holdTime ?? 90,
    minHoldTime: peer.minHoldTime ?? 3,
    sendHoldTime: peer.sendHoldTime,
    passive: peer.passive ?? false,
    openTime: (peer.openTime ?? 60) * 1000,
    delayOpen: (peer.delayOpen ?? 0) * 1000,
    connectRetry: peer.connectRetry ?? { initial: 2000, max: 30_000 },
    idleHold: peer.idleHold ?? { initial: 1000, max: 60_000 },
    refuseAfter: 4,
    stableAfter: 60_000,
    gracefulRestart:
      restart === false
        ? undefined
        : { restartTime: restart.restartTime ?? 120, restarting, forwardingPreserved: restart.forwardingPreserved ?? false },
    longLivedStaleTime: peer.longLivedStaleTime,
    addPath: { receive: peer.addPath?.receive ?? [], send: peer.addPath?.send ?? [] },
    extendedMessage: peer.extendedMessage ?? true,
    extendedNextHop: peer.extendedNextHop ?? true,
    role: peer.role,
    strictRole: peer.strictRole ?? false,
    hostname: speaker.hostname,
    domain: speaker.domain,
  };
}

/** Fields of a peer that take effect without a new session. */
const LIVE: ReadonlySet<string> = new Set([
  'passive',
  'connectRetry',
  'idleHold',
  'openTime',
  'delayOpen',
  'maxPrefixes',
  'sendQueue',
  'minHoldTime',
]);

/** Whether a changed configuration needs a new session. Everything that is offered in an OPEN or set on a socket does. */
export function needsNewSession(before: PeerConfig, after: PeerConfig): boolean {
  return JSON.stringify(settled(before)) !== JSON.stringify(settled(after));
}

function settled(config: PeerConfig): unknown {
  return Object.entries(config)
    .filter(([key, value]) => !LIVE.has(key) && value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A configuration that cannot be run. `code` is `BGP_CONFIG`. */
export class SessionConfigError extends Error {
  readonly code = 'BGP_CONFIG';
  readonly peer: string | undefined;

  constructor(message: string, peer?: string) {
    super(peer === undefined ? message : `peer ${peer}: ${message}`);
    this.name = 'SessionConfigError';
    this.peer = peer;
  }
}
