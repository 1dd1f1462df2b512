import type { FamilyName, NextHop, PathAttributes } from '@weir/bgp/codec';
import { type Asn, bitsOf, type Family, type Ip, makePrefix, overlaps, type Prefix } from '@weir/wire/inet';
import type { Provenance } from '../model/provenance.ts';
import { decodeKey, nextHopOf, rawAttributesOf } from './attribute-key.ts';
import { NO_ATTRIBUTES } from './attribute-store.ts';
import { carriesCommunity, matchedCommunities } from './community-matcher.ts';
import { FAMILY_INDEXES, type FamilyIndex } from './family-index.ts';
import { refusal } from './guard.ts';
import { type Epoch, familyName, holdEnd, type PeerState } from './peer-state.ts';
import type { Refusal, RefusalReason } from './refusals.ts';
import type { Rib } from './rib.ts';
import { NO_ROW, ROW } from './route-table.ts';
import type { SetState } from './set-state.ts';
import { Smallest } from './smallest.ts';

/** Prefixes that one answer lists at most. */
const MAX_PAGE = 10_000;
/** The community of routes that are long-lived stale. */
const LLGR_STALE = 0xffff0006;
/** AS numbers of a path that a provenance shows. */
const SHOWN_AS_PATH = 16;
/** Routes that one member is explained with. */
const SHOWN_ROUTES = 64;

/** What to list. A page starts behind `after` in the order of `comparePrefix` and has at most `limit` prefixes. */
export interface Page {
  readonly family?: Family | undefined;
  /** Only what covers this prefix or lies in it. */
  readonly prefix?: Prefix | undefined;
  readonly limit?: number | undefined;
  readonly after?: Prefix | undefined;
}

export interface Member {
  readonly prefix: Prefix;
  readonly provenance: readonly Provenance[];
}

export interface RouteFilter extends Page {
  readonly peer?: string | undefined;
  /** Only routes that give to this set. */
  readonly set?: string | undefined;
}

export interface RouteEntry {
  readonly peer: string;
  readonly prefix: Prefix;
  readonly pathId: number | undefined;
  readonly nextHop: NextHop | undefined;
  /** Empty where only the announcement is kept. */
  readonly attributes: PathAttributes;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly stale: boolean;
  /** In the long-lived part of its time since the loss of the session, or sent by the peer as such (LLGR_STALE, RFC 9494 section 3.2). */
  readonly longLivedStale: boolean;
  /** Sets that the route gives to: whether the member is installed or waits for room or churn. */
  readonly sets: readonly { readonly set: string; readonly installed: boolean }[];
  /** Sets whose community it carries and whose guard refuses it. */
  readonly refused: readonly { readonly set: string; readonly reason: RefusalReason }[];
}

export interface SetCounts {
  readonly set: string;
  readonly installed: number;
  /** Asked for and not installed: no room, or too much churn. */
  readonly waiting: number;
  /** Members that only the ledger's contribution may be keeping. */
  readonly ledger: number;
  readonly refused: { readonly [R in RefusalReason]: number };
}

/** A stale peer's contributions to one set. */
export interface Hold {
  readonly set: string;
  readonly routes: number;
  /** Milliseconds since the epoch; undefined is forever. */
  readonly endsAt: number | undefined;
}

export interface PeerCounts {
  readonly peer: string;
  readonly families: readonly {
    readonly family: FamilyName;
    /** Rows kept, fresh and stale. */
    readonly stored: number;
    readonly stale: number;
    /** Announced in the present session and not withdrawn, whether wanted or not; known with `max_prefixes` or `keep_all` only. */
    readonly announced: number | undefined;
    /** Has said all that it has. */
    readonly learned: boolean;
  }[];
  /** Announcements not stored since nothing asks for them, since the peer was configured. */
  readonly unneeded: number;
  /** Announcements not taken: over the prefix limit, and for want of space. */
  readonly blocked: number;
  readonly overflow: number;
  /** Announcements that were leaks (RFC 9234 section 5). */
  readonly leaked: number;
}

export interface StateCounts {
  readonly routes: number;
  readonly prefixes: number;
  readonly attributeSets: number;
  readonly attributeBytes: number;
  readonly feeds: number;
  readonly peers: readonly PeerCounts[];
  readonly sets: readonly SetCounts[];
}

export interface RefusedView {
  readonly counts: { readonly [R in RefusalReason]: number };
  readonly waiting: number;
  /** The last 100, newest first. */
  readonly recent: readonly Refusal[];
}

/** Calls `use` with the prefixes of one page, family by family, as long as there is room. */
function page(
  rib: Rib,
  filter: Page,
  offerAll: (f: FamilyIndex, offer: (prefix: number) => void) => void,
  use: (f: FamilyIndex, prefix: number) => void,
): boolean {
  let room = Math.max(1, Math.min(filter.limit ?? 1000, MAX_PAGE));
  for (const f of FAMILY_INDEXES) {
    const { table, family } = rib.ribs[f];
    if (filter.family !== undefined && filter.family !== family) continue;
    if (filter.prefix && filter.prefix.family !== family) continue;
    if (filter.after && filter.after.family > family) continue;
    const { prefix } = filter;
    const after = filter.after?.family === family ? filter.after : undefined;
    const smallest = new Smallest(Math.max(room, 1), (a, b) => rib.ribs[f].compare(a, b));
    offerAll(f, (id) => {
      if (prefix && !overlaps(prefix, table.prefix(id))) return;
      if (after && !rib.ribs[f].isAfter(id, after)) return;
      smallest.offer(id);
    });
    const { items, more } = smallest.result();
    if (room === 0 && items.length > 0) return true;
    for (const id of items) use(f, id);
    room -= items.length;
    if (more) return true;
  }
  return false;
}

/** Members of a set with why they are there. */
export function listMembers(rib: Rib, set: SetState, filter: Page): { members: Member[]; more: boolean } {
  const members: Member[] = [];
  const more = page(
    rib,
    filter,
    (f, offer) => set.forEachMember(f, offer),
    (f, id) => members.push({ prefix: rib.ribs[f].table.prefix(id), provenance: provenance(rib, set, f, id) }),
  );
  return { members, more };
}

/** The longest member that covers an address. */
export function findMember(rib: Rib, set: SetState, address: Ip): Member | undefined {
  const f = address.family === 4 ? 0 : 1;
  const { table } = rib.ribs[f];
  for (let length: number = bitsOf(address.family); length >= 0; length--) {
    const { w0, w1, w2, w3 } = makePrefix(address, length);
    const id = table.find(w0, w1, w2, w3, length);
    if (id >= 0 && set.isInstalled(f, id)) return { prefix: table.prefix(id), provenance: provenance(rib, set, f, id) };
  }
  return undefined;
}

function provenance(rib: Rib, set: SetState, f: FamilyIndex, id: number): Provenance[] {
  const out: Provenance[] = [];
  const prefix = rib.ribs[f].table.prefix(id);
  const { routes } = rib;
  for (let row = rib.ribs[f].heads[id] as number; row !== NO_ROW && out.length < SHOWN_ROUTES; row = routes.next[row] as number) {
    if (!rib.feeds.list(routes.feed[row] as number).includes(set.index)) continue;
    const key = rib.attributes.bytes(routes.attributes[row] as number);
    out.push({
      kind: 'route',
      peer: rib.peers[routes.peer[row] as number]?.definition.name ?? '',
      prefix,
      pathId: pathOf(rib, row),
      asPath: flatPath(decodeKey(key)),
      communities: matchedCommunities(set.definition, rawAttributesOf(key)),
      since: (routes.since[row] as number) * 1000,
      stale: isStale(rib, row),
    });
  }
  if (set.isLedger(f, id)) out.push({ kind: 'ledger', prefix });
  return out;
}

function pathOf(rib: Rib, row: number): number | undefined {
  return ((rib.routes.flags[row] as number) & ROW.path) !== 0 ? rib.routes.path[row] : undefined;
}

function isStale(rib: Rib, row: number): boolean {
  return rib.routes.epoch[row] !== 0 || ((rib.routes.flags[row] as number) & ROW.refreshing) !== 0;
}

function isLongLivedStale(rib: Rib, row: number, key: Uint8Array | undefined): boolean {
  if (key && carriesCommunity(rawAttributesOf(key), LLGR_STALE)) return true;
  const epoch = rib.peers[rib.routes.peer[row] as number]?.epochs.get(rib.routes.epoch[row] as number);
  return epoch !== undefined && epoch.times.longLived > 0 && rib.now() >= epoch.lostAt + epoch.times.restart;
}

function flatPath(attributes: PathAttributes): Asn[] {
  const out: Asn[] = [];
  for (const segment of attributes.asPath ?? []) {
    for (const asn of segment.asns) if (out.length < SHOWN_AS_PATH) out.push(asn);
  }
  return out;
}

/** Stored routes, all rows of a prefix on the same page. */
export function listRoutes(rib: Rib, filter: RouteFilter): { routes: RouteEntry[]; more: boolean } {
  const peer = filter.peer === undefined ? undefined : rib.peers.find((p) => p?.definition.name === filter.peer);
  const set = filter.set === undefined ? undefined : rib.sets.find((s) => s?.definition.name === filter.set);
  if ((filter.peer !== undefined && !peer) || (filter.set !== undefined && !set)) return { routes: [], more: false };
  const listed: RouteEntry[] = [];
  const { routes } = rib;
  const wanted = (row: number): boolean =>
    (!peer || routes.peer[row] === peer.index) && (!set || rib.feeds.list(routes.feed[row] as number).includes(set.index));
  const rows = (f: FamilyIndex, id: number): number[] => {
    const out: number[] = [];
    for (let row = rib.ribs[f].heads[id] as number; row !== NO_ROW; row = routes.next[row] as number) if (wanted(row)) out.push(row);
    return out;
  };
  const more = page(
    rib,
    filter,
    (f, offer) => {
      for (let id = 0; id < rib.ribs[f].table.limit; id++) if (rib.ribs[f].heads[id] !== NO_ROW && rows(f, id).length > 0) offer(id);
    },
    (f, id) => {
      for (const row of rows(f, id)) listed.push(routeEntry(rib, f, row));
    },
  );
  return { routes: listed, more };
}

function routeEntry(rib: Rib, f: FamilyIndex, row: number): RouteEntry {
  const { routes } = rib;
  const { table, family } = rib.ribs[f];
  const id = routes.prefix[row] as number;
  const attributes = routes.attributes[row] as number;
  const key = attributes === NO_ATTRIBUTES ? undefined : rib.attributes.bytes(attributes);
  const peer = routes.peer[row] as number;
  const given = rib.feeds.list(routes.feed[row] as number);
  const words = Uint32Array.of(table.word(id, 0), table.word(id, 1), table.word(id, 2), table.word(id, 3));
  const leak = ((routes.flags[row] as number) & ROW.leak) !== 0;
  const refused: { set: string; reason: RefusalReason }[] = [];
  for (const index of attributes === NO_ATTRIBUTES ? [] : rib.feeds.list(rib.attributes.asks(attributes))) {
    const set = rib.sets[index];
    if (!set?.guard.hasFamily(family)) continue;
    const reason = refusal(set.guard, peer, leak, family, words, 0, table.length(id));
    if (reason !== undefined) refused.push({ set: set.definition.name, reason });
  }
  return {
    peer: rib.peers[peer]?.definition.name ?? '',
    prefix: table.prefix(id),
    pathId: pathOf(rib, row),
    nextHop: key && nextHopOf(key),
    attributes: key ? decodeKey(key) : {},
    since: (routes.since[row] as number) * 1000,
    stale: isStale(rib, row),
    longLivedStale: isLongLivedStale(rib, row, key),
    sets: given.map((index) => ({
      set: rib.sets[index]?.definition.name ?? '',
      installed: rib.sets[index]?.isInstalled(f, id) ?? false,
    })),
    refused,
  };
}

/** What is held of a peer's routes, by set and end. One pass over its rows. */
export function listHolds(rib: Rib, peer: PeerState): Hold[] {
  if (peer.epochs.size === 0) return [];
  const routesOf = new Map<string, { set: SetState; epoch: Epoch; routes: number }>();
  rib.forEachRow(peer, (row) => {
    const epoch = peer.epochs.get(rib.routes.epoch[row] as number);
    if (!epoch) return;
    for (const index of rib.feeds.list(rib.routes.feed[row] as number)) {
      const set = rib.sets[index];
      if (!set) continue;
      const key = `${epoch.id} ${index}`;
      const entry = routesOf.get(key) ?? { set, epoch, routes: 0 };
      entry.routes++;
      routesOf.set(key, entry);
    }
  });
  return [...routesOf.values()].map(({ set, epoch, routes }) => {
    const end = holdEnd(set.definition, epoch);
    return { set: set.definition.name, routes, endsAt: Number.isFinite(end) ? end : undefined };
  });
}

export function countState(rib: Rib): StateCounts {
  const peers = rib.peers.filter((p) => p !== undefined).map((p) => peerCounts(p));
  const sets = rib.sets
    .filter((s) => s !== undefined)
    .map((s) => ({
      set: s.definition.name,
      installed: s.installed,
      waiting: s.waiting,
      ledger: s.ledgerCount(0) + s.ledgerCount(1),
      refused: s.refusals.counts(),
    }));
  return {
    routes: rib.routes.size,
    prefixes: rib.ribs[0].table.size + rib.ribs[1].table.size,
    attributeSets: rib.attributes.size,
    attributeBytes: rib.attributes.liveBytes,
    feeds: rib.feeds.size,
    peers,
    sets,
  };
}

function peerCounts(peer: PeerState): PeerCounts {
  return {
    peer: peer.definition.name,
    families: FAMILY_INDEXES.filter((f) => peer.definition.families.includes(familyName(f)) || peer.rows[f] > 0).map((f) => ({
      family: familyName(f),
      stored: peer.rows[f],
      stale: peer.stale[f],
      announced: peer.tracks ? peer.fresh(f) : undefined,
      learned: peer.learned[f],
    })),
    unneeded: peer.unneeded,
    blocked: peer.blocked,
    overflow: peer.overflow,
    leaked: peer.leaked,
  };
}
