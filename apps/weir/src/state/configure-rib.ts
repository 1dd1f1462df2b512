import { bitsOf, type Ip, makePrefix, type Prefix } from '@weir/wire/inet';
import type { Config, Peer } from '../model/config.ts';
import type { NamedSet } from '../model/named-set.ts';
import { splitName } from '../model/scopes.ts';
import { CommunityMatcher } from './community-matcher.ts';
import { FAMILY_INDEXES } from './family-index.ts';
import { PrefixGuard, type ProtectedIndex, protectedIndex } from './guard.ts';
import { familyName, PeerState } from './peer-state.ts';
import { isWidened, pairSets, sameDefinition, samePeer } from './reconfigure.ts';
import type { Rib } from './rib.ts';
import { SetState } from './set-state.ts';

/** Takes over the configured peers: routes of peers and families that are gone are taken out. */
export function configurePeers(rib: Rib, peers: readonly Peer[]): void {
  rib.peers.forEach((peer, index) => {
    if (!peer) return;
    const next = peers.find((p) => samePeer(p, peer.definition));
    if (!next) {
      rib.forEachRow(peer, (row) => rib.removeRow(row));
      for (const set of rib.sets) set?.forgetPeer(index);
      rib.peers[index] = undefined;
      return;
    }
    const gone = FAMILY_INDEXES.filter((f) => !next.families.includes(familyName(f)));
    if (gone.some((f) => peer.rows[f] > 0)) {
      rib.forEachRow(peer, (row) => {
        if (gone.includes(rib.familyOf(row))) rib.removeRow(row);
      });
    }
    for (const f of gone) peer.learned[f] = false;
    peer.definition = next;
  });
  for (const definition of peers) {
    if (rib.peers.some((peer) => peer?.definition === definition)) continue;
    const index = freeIndex(rib.peers);
    rib.peers[index] = new PeerState(index, definition);
  }
}

export interface SetChanges {
  /** Names of sets that are new, other than before or gone. */
  readonly changed: readonly string[];
  /** Sets that may want routes that they did not want before. */
  readonly widened: readonly NamedSet[];
  /** Indexes of sets that are gone. */
  readonly removed: readonly number[];
}

/**
 * Takes over the configured sets. What routes ask for is worked out anew, and sets that are gone are taken out of every feed; the caller then
 * evaluates the routes again.
 */
export function configureSets(rib: Rib, config: Config, shielded: Shield): SetChanges {
  const current = rib.sets.filter((set) => set !== undefined);
  const pairs = pairSets(
    current.map((set) => set.definition),
    config.sets,
  );
  const changed: string[] = [];
  const widened: NamedSet[] = [];
  const kept = new Set<SetState>();
  const definitions: (NamedSet | undefined)[] = [];
  for (const definition of config.sets) {
    const before = pairs.get(definition);
    const set = before && current.find((s) => s.definition === before);
    if (!sameDefinition(before, definition)) changed.push(definition.name);
    if (isWidened(before, definition)) widened.push(definition);
    const guard = new PrefixGuard(definition, (name) => peerIndex(rib, name), shielded(definition.name));
    if (set) {
      kept.add(set);
      set.redefine(definition, guard);
      if (before.name !== definition.name || !sameDefinition(before.target, definition.target)) set.makeComplete();
      definitions[set.index] = definition;
    } else {
      const index = freeIndex(rib.sets);
      rib.sets[index] = new SetState(index, definition, guard, rib);
      definitions[index] = definition;
    }
  }
  if (changed.length > 0 || kept.size < current.length) {
    rib.matcher = new CommunityMatcher(definitions);
    for (const id of rib.attributes.ids()) rib.attributes.setAsks(id, rib.feeds.acquire(rib.matcher.match(rib.rawAttributes(id))));
  }
  const removed: number[] = [];
  for (const set of current) {
    if (kept.has(set)) continue;
    changed.push(set.definition.name);
    removed.push(set.index);
    removeSet(rib, set);
  }
  return { changed, widened, removed };
}

function removeSet(rib: Rib, set: SetState): void {
  for (let row = 1; row < rib.routes.limit; row++) if (rib.routes.isLive(row)) rib.takeOutOf(row, set.index);
  for (const peer of rib.peers) for (const epoch of peer?.epochs.values() ?? []) epoch.ended.delete(set.index);
  set.close();
  rib.sets[set.index] = undefined;
}

/** The same sets with other guards: protected addresses or the indexes of peers have changed. */
export function rebuildGuards(rib: Rib, shielded: Shield): void {
  for (const set of rib.sets)
    set?.redefine(set.definition, new PrefixGuard(set.definition, (name) => peerIndex(rib, name), shielded(set.definition.name)));
}

/** What a set may not cover if it denies, by its name. */
export type Shield = (set: string) => ProtectedIndex;

/** What no deny set may cover: those of a tenant neither the addresses of its namespace. */
export function shield(config: Config, hostAddresses: (tenant: string | undefined) => readonly Ip[]): Shield {
  const known = new Map<string | undefined, ProtectedIndex>();
  return (set) => {
    const { tenant } = splitName(set);
    let found = known.get(tenant);
    if (!found) {
      const hosts = [...hostAddresses(tenant), ...config.bgp.peers.map((peer) => peer.address)];
      found = protectedIndex([...config.protected, ...hosts.map((ip): Prefix => makePrefix(ip, bitsOf(ip.family)))]);
      known.set(tenant, found);
    }
    return found;
  };
}

/** Evaluates every route against the guards as they are now. */
export function refilterRoutes(rib: Rib): void {
  const words = new Uint32Array(4);
  for (let row = 1; row < rib.routes.limit; row++) if (rib.routes.isLive(row)) rib.reevaluate(row, words);
}

function peerIndex(rib: Rib, name: string): number | undefined {
  return rib.peers.find((peer) => peer?.definition.name === name)?.index;
}

function freeIndex(list: readonly unknown[]): number {
  const index = list.indexOf(undefined);
  return index < 0 ? list.length : index;
}
