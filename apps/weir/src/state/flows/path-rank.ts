import type { PathAttributes } from '@weir/bgp/codec';
import { compareIp, type Ip } from '@weir/wire/inet';

/** What one of several routes to the same thing is chosen by (RFC 4271 section 9.1, RFC 4456 section 9). */
export interface PathRank {
  readonly localPref: number;
  readonly asPathLength: number;
  readonly origin: 0 | 1 | 2;
  /** The left-most AS of the path; undefined when it is empty or begins with a set. */
  readonly neighbourAs: number | undefined;
  readonly med: number;
  readonly external: boolean;
  /** ORIGINATOR_ID, else the BGP identifier of the peer. */
  readonly originator: Ip | undefined;
  readonly clusterListLength: number;
  readonly peer: Ip;
}

export interface RankedPeer {
  readonly address: Ip;
  readonly external: boolean;
  /** Of the present or the last session. */
  readonly identifier: Ip | undefined;
}

const DEFAULT_LOCAL_PREF = 100;
const ORIGINS = { igp: 0, egp: 1, incomplete: 2 } as const;

export function rankOf(attributes: PathAttributes, { address, external, identifier }: RankedPeer): PathRank {
  const { asPath = [], origin = 'incomplete', med = 0, originatorId, clusterList = [] } = attributes;
  return {
    // Between ASes LOCAL_PREF means nothing (RFC 4271 section 5.1.5).
    localPref: external ? DEFAULT_LOCAL_PREF : (attributes.localPref ?? DEFAULT_LOCAL_PREF),
    asPathLength: asPath.reduce((sum, { kind, asns }) => sum + (kind === 'sequence' ? asns.length : kind === 'set' ? 1 : 0), 0),
    origin: ORIGINS[origin],
    neighbourAs: leftMostAs(attributes),
    med,
    external,
    originator: originatorId ?? identifier,
    clusterListLength: clusterList.length,
    peer: address,
  };
}

/** The AS that a route was heard from, by its path; confederation segments are of the own AS. */
function leftMostAs({ asPath = [] }: PathAttributes): number | undefined {
  const first = asPath.find(({ kind, asns }) => (kind === 'sequence' || kind === 'set') && asns.length > 0);
  return first?.kind === 'sequence' ? first.asns[0] : undefined;
}

/** Whether the AS path is empty or has segments of the own confederation alone (RFC 9117 section 4.1). */
export function isLocalPath({ asPath = [] }: PathAttributes): boolean {
  return asPath.every(({ kind, asns }) => kind === 'confed-sequence' || asns.length === 0);
}

/** Below 0 when `a` is chosen. MED is compared within one neighbouring AS. */
export function compareRanks(a: PathRank, b: PathRank): number {
  return (
    b.localPref - a.localPref ||
    a.asPathLength - b.asPathLength ||
    a.origin - b.origin ||
    (a.neighbourAs === b.neighbourAs ? a.med - b.med : 0) ||
    Number(b.external) - Number(a.external) ||
    compareOptional(a.originator, b.originator) ||
    a.clusterListLength - b.clusterListLength ||
    compareIp(a.peer, b.peer)
  );
}

function compareOptional(a: Ip | undefined, b: Ip | undefined): number {
  if (!a || !b) return Number(a === undefined) - Number(b === undefined);
  return compareIp(a, b);
}
