import type { Asn, Ip } from '@weir/wire/inet';
import type { FlowRun } from './flowspec/nlri.ts';
import type { FlowFamily } from './flowspec/rule.ts';

/** An address family and subsequent address family that Weir names (RFC 4760); others are kept as numbers in capabilities. */
export type FamilyName = UnicastFamily | FlowFamily;

/** Families whose NLRI are prefixes. */
export type UnicastFamily = 'ipv4 unicast' | 'ipv6 unicast';

/** AFI and SAFI as on the wire. */
export interface AfiSafi {
  readonly afi: number;
  readonly safi: number;
}

/**
 * Prefixes of one family in columns, so that decoding a message allocates per message and not per prefix.
 * Prefix `i` has the words `words[i*stride .. i*stride+stride-1]` (network order, host bits clear) and `lengths[i]` bits;
 * the stride is 1 for IPv4 and 4 for IPv6. `pathIds[i]` is its path identifier (RFC 7911) where add-path is on, else undefined.
 * The arrays may be longer than `count`.
 */
export interface NlriRun {
  readonly family: UnicastFamily;
  readonly count: number;
  readonly words: Uint32Array;
  readonly lengths: Uint8Array;
  readonly pathIds: Uint32Array | undefined;
}

/** What RFC 7606 section 2 asks for, from weakest to strongest. */
export type ErrorAction = 'attribute-discard' | 'treat-as-withdraw' | 'afi-safi-disable' | 'session-reset';

/** NOTIFICATION contents (RFC 4271 section 4.5). */
export interface Notification {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

/** One thing wrong with a message. `offset` counts from the start of the message's header. */
export interface MessageError {
  readonly offset: number;
  /** Attribute type code, or undefined where the error is not inside an attribute. */
  readonly attribute: number | undefined;
  readonly message: string;
  readonly action: ErrorAction;
  /** For example `RFC 7606 section 7.1`. */
  readonly rfc: string;
  /** With `afi-safi-disable`: whose routes are to be deleted and ignored from here on (RFC 4760 section 7). */
  readonly family?: AfiSafi;
}

export interface AsPathSegment {
  readonly kind: 'set' | 'sequence' | 'confed-sequence' | 'confed-set';
  readonly asns: readonly Asn[];
}

export interface Aggregator {
  readonly asn: Asn;
  readonly address: Ip;
}

/** Global administrator and two local parts (RFC 8092). */
export interface LargeCommunity {
  readonly global: number;
  readonly local1: number;
  readonly local2: number;
}

/** Eight octets, kept as two words; `decodeExtendedCommunity` gives the typed view. */
export interface ExtendedCommunity {
  readonly high: number;
  readonly low: number;
}

/** Twenty octets: type and sub-type, an IPv6 address, a local part (RFC 5701). */
export interface Ipv6ExtendedCommunity {
  readonly typeHigh: number;
  readonly typeLow: number;
  readonly address: Ip;
  readonly local: number;
}

/** An attribute that has no decoder: flags, type and value are kept and sent on unchanged where it is transitive. */
export interface UnknownAttribute {
  readonly flags: number;
  readonly type: number;
  readonly value: Uint8Array;
}

export interface PathAttributes {
  readonly origin?: 'igp' | 'egp' | 'incomplete';
  readonly asPath?: readonly AsPathSegment[];
  /** NEXT_HOP (type 3); the next hop of MP_REACH_NLRI is with its announcement. */
  readonly nextHop?: Ip;
  readonly med?: number;
  readonly localPref?: number;
  readonly atomicAggregate?: boolean;
  readonly aggregator?: Aggregator;
  /** Standard communities as 32-bit numbers, high half first (RFC 1997). */
  readonly communities?: readonly number[];
  readonly originatorId?: Ip;
  readonly clusterList?: readonly Ip[];
  readonly extendedCommunities?: readonly ExtendedCommunity[];
  readonly ipv6ExtendedCommunities?: readonly Ipv6ExtendedCommunity[];
  readonly largeCommunities?: readonly LargeCommunity[];
  readonly as4Path?: readonly AsPathSegment[];
  readonly as4Aggregator?: Aggregator;
  /** Accumulated IGP metric (RFC 7311), as TLVs are summed up to the AIGP TLV. */
  readonly aigp?: bigint;
  /** ONLY_TO_CUSTOMER (RFC 9234). */
  readonly onlyToCustomer?: Asn;
  readonly unknown?: readonly UnknownAttribute[];
}

/** A next hop of one address, or of a global and a link-local one (RFC 2545). */
export interface NextHop {
  readonly address: Ip;
  readonly linkLocal?: Ip;
}

export interface Announcement {
  readonly nextHop: NextHop | undefined;
  readonly run: NlriRun;
}

/** Flow rules; their next hop is most often none (RFC 8955 section 4) and means something to redirect-to-IP actions alone. */
export interface FlowAnnouncement {
  readonly nextHop: NextHop | undefined;
  readonly run: FlowRun;
}

/**
 * An UPDATE after RFC 7606: with `treat-as-withdraw` what it announced is already in `withdraw` and `announce` is empty; discarded
 * attributes are absent. `rawAttributes` are the surviving path attributes as received, without MP_REACH_NLRI and MP_UNREACH_NLRI,
 * so that equal bytes can be stored once.
 */
export interface UpdateMessage {
  readonly kind: 'update';
  readonly withdraw: readonly NlriRun[];
  readonly announce: readonly Announcement[];
  readonly withdrawFlows: readonly FlowRun[];
  readonly announceFlows: readonly FlowAnnouncement[];
  readonly attributes: PathAttributes;
  readonly rawAttributes: Uint8Array;
  /** Set when the message is the End-of-RIB of a family (RFC 4724 section 2). */
  readonly endOfRib: FamilyName | undefined;
  readonly errors: readonly MessageError[];
}

export type Capability =
  | { readonly kind: 'multiprotocol'; readonly family: AfiSafi }
  | { readonly kind: 'route-refresh' }
  | { readonly kind: 'enhanced-route-refresh' }
  | { readonly kind: 'extended-message' }
  | { readonly kind: 'four-octet-as'; readonly asn: Asn }
  | {
      readonly kind: 'graceful-restart';
      /** The R bit: the sender has restarted. */
      readonly restarting: boolean;
      /** The N bit (RFC 8538). */
      readonly notification: boolean;
      /** Seconds, 0-4095. */
      readonly restartTime: number;
      readonly families: readonly (AfiSafi & { readonly forwardingPreserved: boolean })[];
    }
  | {
      readonly kind: 'long-lived-graceful-restart';
      readonly families: readonly (AfiSafi & { readonly forwardingPreserved: boolean; readonly staleTime: number })[];
    }
  | { readonly kind: 'add-path'; readonly families: readonly (AfiSafi & { readonly send: boolean; readonly receive: boolean })[] }
  | { readonly kind: 'extended-next-hop'; readonly entries: readonly (AfiSafi & { readonly nextHopAfi: number })[] }
  | { readonly kind: 'role'; readonly role: number }
  | { readonly kind: 'fqdn'; readonly hostname: string; readonly domain: string }
  | { readonly kind: 'unknown'; readonly code: number; readonly value: Uint8Array };

export interface OpenMessage {
  readonly kind: 'open';
  readonly version: number;
  /** The 2-octet field; AS_TRANS where the true number is in the four-octet-as capability. */
  readonly myAs: number;
  /** Seconds. */
  readonly holdTime: number;
  readonly routerId: Ip;
  readonly capabilities: readonly Capability[];
}

export interface NotificationMessage extends Notification {
  readonly kind: 'notification';
}

export interface KeepaliveMessage {
  readonly kind: 'keepalive';
}

export interface RouteRefreshMessage {
  readonly kind: 'route-refresh';
  readonly family: AfiSafi;
  /** 0 request, 1 beginning, 2 end of refresh (RFC 7313); others are kept. */
  readonly subtype: number;
}

export type Message = OpenMessage | UpdateMessage | NotificationMessage | KeepaliveMessage | RouteRefreshMessage;

/** What two speakers agreed on: how the rest of their messages is to be read. */
export interface SessionContext {
  readonly peerKind: 'ebgp' | 'ibgp';
  readonly localAs: Asn;
  readonly peerAs: Asn;
  readonly fourOctetAs: boolean;
  readonly extendedMessage: boolean;
  readonly families: readonly FamilyName[];
  /** Families whose NLRI carry path identifiers in the direction of this context. */
  readonly addPath: readonly FamilyName[];
  /** IPv4 unicast with an IPv6 next hop (RFC 8950). */
  readonly extendedNextHop: boolean;
}
