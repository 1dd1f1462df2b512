import type { FamilyName } from '@weir/bgp/codec';
import { covers, equalIp, type Family } from '@weir/wire/inet';
import type { Config, Peer } from '../model/config.ts';
import type { NamedSet } from '../model/named-set.ts';
import { splitName } from '../model/scopes.ts';

/** A peer that is to be asked for families again, since routes that were not stored may be wanted now. */
export interface RefreshRequest {
  readonly peer: string;
  readonly families: readonly FamilyName[];
}

/** Whether two configured values say the same; places in files do not count. */
export function sameDefinition(a: unknown, b: unknown): boolean {
  return JSON.stringify(a, withoutSpan) === JSON.stringify(b, withoutSpan);
}

function withoutSpan(key: string, value: unknown): unknown {
  if (key === 'span') return undefined;
  return value === Number.POSITIVE_INFINITY ? 'infinite' : value;
}

/** Whether it is the same neighbour as before, whatever it is called and however the session is set up now. */
export function samePeer(a: Peer, b: Peer): boolean {
  return equalIp(a.address, b.address) && a.as === b.as && a.localAs === b.localAs && a.interface === b.interface;
}

/**
 * Pairs configured sets with those before: by name, and a set whose name is new with one whose name is gone and that has the same target (or, where
 * Weir owns the table, is the same but for its name). A renamed set goes on with its members and holds.
 */
export function pairSets(before: readonly NamedSet[], after: readonly NamedSet[]): Map<NamedSet, NamedSet> {
  const pairs = new Map<NamedSet, NamedSet>();
  const byName = new Map(before.map((set) => [set.name, set]));
  for (const set of after) {
    const same = byName.get(set.name);
    if (!same) continue;
    pairs.set(set, same);
    byName.delete(set.name);
  }
  for (const set of after) {
    if (pairs.has(set)) continue;
    const renamed = [...byName.values()].find((old) => isRenamed(old, set));
    if (!renamed) continue;
    pairs.set(set, renamed);
    byName.delete(renamed.name);
  }
  return pairs;
}

function isRenamed(before: NamedSet, after: NamedSet): boolean {
  // The same target in another namespace is another one.
  if (splitName(before.name).tenant !== splitName(after.name).tenant) return false;
  if (before.target.kind === 'user') return sameDefinition(before.target, after.target);
  return sameDefinition({ ...before, name: '' }, { ...after, name: '' });
}

/** Whether a set may want a route now that it did not want before (and that was not stored then). */
export function isWidened(before: NamedSet | undefined, after: NamedSet): boolean {
  if (!before) return true;
  const patterns = new Set(before.communities.map((pattern) => JSON.stringify(pattern)));
  if (after.communities.some((pattern) => !patterns.has(JSON.stringify(pattern)))) return true;
  const [g, h] = [before.guard, after.guard];
  if (g.peers && (!h.peers || h.peers.some((name) => !g.peers?.includes(name)))) return true;
  if (!sameDefinition(g.prefixesOf, h.prefixesOf)) return true;
  const old = g.prefixes;
  if (old && (!h.prefixes || h.prefixes.some((p) => !old.some((q) => covers(q, p))))) return true;
  const families: readonly Family[] = [4, 6];
  if (families.some((f) => h.lengths[f].min < g.lengths[f].min || h.lengths[f].max > g.lengths[f].max)) return true;
  return families.some((f) => takes(after, f) && !takes(before, f));
}

function takes(set: NamedSet, family: Family): boolean {
  return set.target.kind === 'owned' || (family === 4 ? set.target.ipv4 : set.target.ipv6) !== undefined;
}

/** Whom to ask again because of widened sets, or because every route of the peer is to be known now. */
export function refreshRequests(before: Config, after: Config, widened: readonly NamedSet[]): RefreshRequest[] {
  const requests: RefreshRequest[] = [];
  for (const peer of after.bgp.peers) {
    const old = before.bgp.peers.find((other) => samePeer(other, peer));
    if (!old) continue;
    const knownNow = (peer.keepAll && !old.keepAll) || (peer.maxPrefixes !== undefined && old.maxPrefixes === undefined && !old.keepAll);
    const sets = old.keepAll ? [] : widened.filter((set) => !set.guard.peers || set.guard.peers.includes(peer.name));
    const families = peer.families.filter((name) => {
      const family = name === 'ipv4 unicast' ? 4 : 6;
      return old.families.includes(name) && (knownNow || sets.some((set) => takes(set, family)));
    });
    if (families.length > 0) requests.push({ peer: peer.name, families });
  }
  return requests;
}
