import type { Asn, Ip } from '@weir/wire/inet';
import {
  type AfiSafi,
  type Capability,
  ErrorCode,
  type FamilyName,
  family,
  familyOf,
  type OpenMessage,
  OpenSubcode,
  type SessionContext,
} from '../codec/index.ts';
import type { FsmConfig } from './config.ts';
import { capability, type OpenRefusal, openAs } from './open.ts';

/** The peer's graceful restart capability, where both sides sent one (RFC 4724, RFC 8538). */
export interface NegotiatedRestart {
  /** The peer's R bit. */
  readonly restarting: boolean;
  /** Both sides sent the N bit: sessions ended by a NOTIFICATION other than a hard reset restart gracefully too. */
  readonly notification: boolean;
  /** Seconds that the peer asks us to keep its routes for. */
  readonly restartTime: number;
  /** Negotiated families whose routes may be kept, each with the peer's F bit. */
  readonly families: readonly { readonly family: FamilyName; readonly forwardingPreserved: boolean }[];
}

/** What both sides of a session agreed on, from the two OPEN messages. */
export interface Negotiated {
  /** How the peer's messages are read. */
  readonly receive: SessionContext;
  /** How our messages are written. */
  readonly send: SessionContext;
  readonly peerAs: Asn;
  readonly peerRouterId: Ip;
  /** Seconds; 0 means no keepalives and no hold timer. */
  readonly holdTime: number;
  /** Milliseconds between keepalives, before jitter. */
  readonly keepaliveTime: number;
  /** Milliseconds. */
  readonly sendHoldTime: number;
  readonly families: readonly FamilyName[];
  /** Families of ours that the peer did not offer. */
  readonly missingFamilies: readonly FamilyName[];
  readonly routeRefresh: boolean;
  readonly enhancedRouteRefresh: boolean;
  readonly gracefulRestart: NegotiatedRestart | undefined;
  /** RFC 9494, where both sides sent it: seconds of long-lived stale time that the peer asks for. */
  readonly longLived: readonly { readonly family: FamilyName; readonly forwardingPreserved: boolean; readonly staleTime: number }[];
  readonly peerOpen: OpenMessage;
}

/** SendHoldTimer when nothing is configured: 8 minutes or twice the hold time, whichever is longer (RFC 9687 section 4). */
const SEND_HOLD_SECONDS = 480;

/** Families of an OPEN: those of its multiprotocol capabilities, or IPv4 unicast when there is none (RFC 4760 section 8). */
export function openFamilies(open: OpenMessage): readonly FamilyName[] {
  const offered = open.capabilities.filter((c) => c.kind === 'multiprotocol').map((c) => c.family);
  const known = offered.length > 0 ? offered.map((f) => familyOf(f.afi, f.safi)?.name) : ['ipv4 unicast' as const];
  return [...new Set(known.filter((name) => name !== undefined))];
}

/**
 * Agrees on a session from the OPEN that we sent and the acceptable one that we received. A refusal (RFC 5492 section 3) when there is no
 * family in common.
 */
export function negotiate(config: FsmConfig, ours: OpenMessage, theirs: OpenMessage): Negotiated | OpenRefusal {
  const offered = openFamilies(theirs);
  const wanted = openFamilies(ours).filter((name) => config.families.includes(name));
  const families = wanted.filter((name) => offered.includes(name));
  if (families.length === 0) return noCommonFamily(config);
  const peerAs = openAs(theirs);
  const holdTime = Math.min(ours.holdTime, theirs.holdTime);
  const both = (kind: Capability['kind']): boolean => capability(ours, kind) !== undefined && capability(theirs, kind) !== undefined;
  const common = {
    peerKind: peerAs === config.localAs ? 'ibgp' : 'ebgp',
    localAs: config.localAs,
    peerAs,
    fourOctetAs: both('four-octet-as'),
    families,
  } as const;
  const restart = negotiateRestart(ours, theirs, families);
  return {
    receive: {
      ...common,
      extendedMessage: capability(ours, 'extended-message') !== undefined,
      addPath: addPath(theirs, ours, families),
      extendedNextHop: takesExtendedNextHop(ours),
    },
    send: {
      ...common,
      extendedMessage: capability(theirs, 'extended-message') !== undefined,
      addPath: addPath(ours, theirs, families),
      extendedNextHop: takesExtendedNextHop(theirs),
    },
    peerAs,
    peerRouterId: theirs.routerId,
    holdTime,
    keepaliveTime: (holdTime * 1000) / 3,
    sendHoldTime: 1000 * (config.sendHoldTime ?? Math.max(SEND_HOLD_SECONDS, 2 * holdTime)),
    families,
    missingFamilies: config.families.filter((name) => !families.includes(name)),
    routeRefresh: both('route-refresh'),
    enhancedRouteRefresh: both('enhanced-route-refresh'),
    gracefulRestart: restart,
    longLived: restart ? longLived(ours, theirs, families) : [],
    peerOpen: theirs,
  };
}

/** Whether `negotiate` agreed. */
export function isRefusal(result: Negotiated | OpenRefusal): result is OpenRefusal {
  return 'notification' in result;
}

/** Unsupported Capability, with the multiprotocol capabilities that we need as its data. */
function noCommonFamily(config: FsmConfig): OpenRefusal {
  const data = new Uint8Array(config.families.length * 6);
  config.families.forEach((name, i) => {
    const { afi, safi } = family(name);
    data.set([1, 4, afi >>> 8, afi & 0xff, 0, safi], i * 6);
  });
  return {
    notification: { code: ErrorCode.open, subcode: OpenSubcode.unsupportedCapability, data },
    detail: 'no address family in common',
  };
}

/** Families for which `sender` offers to send path identifiers and `receiver` to receive them (RFC 7911 section 4). */
function addPath(sender: OpenMessage, receiver: OpenMessage, families: readonly FamilyName[]): readonly FamilyName[] {
  return families.filter((name) => pathEntry(sender, name)?.send && pathEntry(receiver, name)?.receive);
}

function pathEntry(open: OpenMessage, name: FamilyName): { readonly send: boolean; readonly receive: boolean } | undefined {
  for (const c of open.capabilities) {
    const entry = c.kind === 'add-path' ? find(c.families, name) : undefined;
    if (entry) return entry;
  }
  return undefined;
}

function takesExtendedNextHop(open: OpenMessage): boolean {
  return capability(open, 'extended-next-hop')?.entries.some((e) => e.afi === 1 && e.safi === 1 && e.nextHopAfi === 2) ?? false;
}

/** A speaker's last graceful restart capability counts (RFC 4724 section 3). */
function lastRestart(open: OpenMessage): Extract<Capability, { kind: 'graceful-restart' }> | undefined {
  return open.capabilities.findLast((c) => c.kind === 'graceful-restart');
}

function negotiateRestart(ours: OpenMessage, theirs: OpenMessage, families: readonly FamilyName[]): NegotiatedRestart | undefined {
  const mine = lastRestart(ours);
  const peer = lastRestart(theirs);
  if (!mine || !peer) return undefined;
  return {
    restarting: peer.restarting,
    notification: mine.notification && peer.notification,
    restartTime: peer.restartTime,
    families: families.flatMap((name) => {
      const entry = find(peer.families, name);
      return entry ? [{ family: name, forwardingPreserved: entry.forwardingPreserved }] : [];
    }),
  };
}

function longLived(ours: OpenMessage, theirs: OpenMessage, families: readonly FamilyName[]): Negotiated['longLived'] {
  const mine = capability(ours, 'long-lived-graceful-restart');
  const peer = capability(theirs, 'long-lived-graceful-restart');
  if (!mine || !peer) return [];
  return families.flatMap((name) => {
    const entry = find(peer.families, name);
    return entry ? [{ family: name, forwardingPreserved: entry.forwardingPreserved, staleTime: entry.staleTime }] : [];
  });
}

function find<T extends AfiSafi>(entries: readonly T[], name: FamilyName): T | undefined {
  const { afi, safi } = family(name);
  return entries.find((entry) => entry.afi === afi && entry.safi === safi);
}
