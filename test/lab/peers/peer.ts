import type { Host } from '../host.ts';
import type { Lab } from '../lab.ts';
import type { LabProcess } from '../process.ts';

export type PeerKind = 'frr' | 'gobgp' | 'bird' | 'openbgpd' | 'exabgp';
export type AddressFamily = 'ipv4 unicast' | 'ipv6 unicast';
export const bothFamilies: readonly AddressFamily[] = ['ipv4 unicast', 'ipv6 unicast'];
/** Families of a session. Flow rules are announced in the daemon's own language (`extra`, `command`). */
export type SessionFamily = AddressFamily | 'ipv4 flow' | 'ipv6 flow';

/** One configured neighbour. What a daemon does not have is refused with LabError `unsupported`, never ignored. */
export interface NeighborConfig {
  readonly address: string;
  readonly as: number;
  /** Default both, over this one session. */
  readonly families?: readonly SessionFamily[];
  readonly localAddress?: string;
  /** Wait for the neighbour to connect. */
  readonly passive?: boolean;
  /** Seconds; default 90. */
  readonly holdTime?: number;
  /** Seconds between attempts to connect; default 1 where it can be set. */
  readonly connectRetry?: number;
  /** TCP MD5 password (RFC 2385). */
  readonly md5?: string;
  /** GTSM (RFC 5082): the neighbour is at most this many hops away. */
  readonly ttlSecurity?: number;
  /** eBGP over this many hops. */
  readonly multihop?: number;
  /**
   * Graceful restart (RFC 4724): a restart time in seconds for a daemon that restarts so itself, `helper` for one that only bridges its
   * neighbour's restart. Default neither: the capability is not offered, whatever the daemon's own default is.
   */
  readonly gracefulRestart?: number | 'helper';
  readonly addPath?: 'send' | 'receive' | 'both';
  /** RFC 8654. */
  readonly extendedMessages?: boolean;
  /** The neighbour is a route-reflector client (RFC 4456). */
  readonly reflectorClient?: boolean;
  readonly nextHopSelf?: boolean;
  readonly maximumPrefixes?: number;
  /** Further lines of the daemon's own language inside its neighbour block. */
  readonly extra?: readonly string[];
}

export interface PeerConfig {
  readonly as: number;
  readonly routerId: string;
  readonly neighbors: readonly NeighborConfig[];
  /** Local addresses to listen on; default all. */
  readonly listen?: readonly string[];
  /** FRR only: run zebra too, so that what is learnt is installed in the namespace's routing table. Default true. */
  readonly zebra?: boolean;
  /** Further top-level lines of the daemon's own language, read at every start; of GoBGP commands, given before its sessions begin. */
  readonly extra?: readonly string[];
  /** The daemon's own configuration, whole, in the place of what the rest would make; `neighbors` then only say whom the session is with. */
  readonly text?: string;
}

export interface AnnounceOptions {
  /** `64512:80` and well-known names in the daemon's spelling. */
  readonly communities?: readonly string[];
  /** `64512:1:2` */
  readonly large?: readonly string[];
  /** Route targets, `64512:80`. */
  readonly routeTargets?: readonly string[];
  /** Default the daemon itself. */
  readonly nextHop?: string;
  readonly med?: number;
  readonly localPref?: number;
}

export type SessionState = 'idle' | 'connect' | 'active' | 'opensent' | 'openconfirm' | 'established';

/** A route in the daemon's table that it has heard. Communities as text, in the daemon's order. */
export interface ReceivedRoute {
  readonly prefix: string;
  readonly nextHop: string;
  readonly communities: readonly string[];
  readonly large: readonly string[];
}

/** A real BGP daemon in a namespace. Neighbours are named by their address. */
export interface Peer {
  readonly kind: PeerKind;
  readonly host: Host;
  announce(prefix: string, options?: AnnounceOptions): Promise<void>;
  /** Many prefixes with the same attributes, by the fastest way that the daemon has. */
  announceMany(prefixes: readonly string[], options?: AnnounceOptions): Promise<void>;
  withdraw(prefix: string): Promise<void>;
  withdrawMany(prefixes: readonly string[]): Promise<void>;
  sessionState(neighbor: string): Promise<SessionState>;
  waitEstablished(neighbor: string, timeoutMs?: number): Promise<void>;
  /** What was heard and accepted in a family. */
  receivedRoutes(family: AddressFamily): Promise<readonly ReceivedRoute[]>;
  /** Takes the session down for good; `message` is the shutdown communication (RFC 9003). */
  shutdown(neighbor: string, message: string): Promise<void>;
  /** Undoes `shutdown`. */
  enable(neighbor: string): Promise<void>;
  /** Asks the neighbour to send everything again (RFC 2918). */
  refresh(neighbor: string): Promise<void>;
  /** SIGKILL: the neighbour sees the connection closed, and no NOTIFICATION. */
  kill9(): Promise<void>;
  /** The daemon's ordinary end. */
  stop(): Promise<void>;
  /** Starts it again (after `stop` where it runs) with what was announced before. */
  restart(): Promise<void>;
  /** One line to the daemon's own client, whose words are parted by single blanks where it takes several; gives what that prints. */
  command(line: string): Promise<string>;
  /** The same where the client goes on printing, until the lab ends. */
  follow(line: string): LabProcess;
  /** What the daemon has printed since it started last; the last of it where that is much. */
  printed(): string;
  /** The configuration as it was written, for a failed test. */
  configText(): string;
}

export type StartPeer = (lab: Lab, host: Host, config: PeerConfig) => Promise<Peer>;

export function familyOf(prefix: string): AddressFamily {
  return prefix.includes(':') ? 'ipv6 unicast' : 'ipv4 unicast';
}
