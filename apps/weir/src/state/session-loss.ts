import type { FamilyName } from '@weir/bgp/codec';
import { carriesCommunity } from './community-matcher.ts';
import { type Epoch, holdEnd, NO_STALE_TIMES, type PeerState, type StaleTimes } from './peer-state.ts';
import type { Rib } from './rib.ts';
import { ROW } from './route-table.ts';

/** How a session ended. */
export interface SessionDown {
  /** RFC 8538 section 4: nothing is held. */
  readonly hard: boolean;
  /** Families that graceful restart lets be kept, with the times for sets that go by them. */
  readonly retained?: readonly (StaleTimes & { readonly family: FamilyName })[];
}

function staleTimes(loss: SessionDown, family: FamilyName): StaleTimes {
  return loss.retained?.find((entry) => entry.family === family) ?? NO_STALE_TIMES;
}

/** NO_LLGR (RFC 9494 section 3.3): the route is not kept beyond the restart time. */
const NO_LLGR = 0xffff0007;

/**
 * The session of a peer is lost now: its fresh routes become stale, those that give nothing go. Routes that were stale already keep their time.
 */
export function makeStale(rib: Rib, peer: PeerState, loss: SessionDown): void {
  if (peer.fresh(0) + peer.fresh(1) === 0) return;
  const { routes } = rib;
  const times = [staleTimes(loss, 'ipv4 unicast'), staleTimes(loss, 'ipv6 unicast')] as const;
  const epochs = new Map<string, Epoch>();
  const withoutLongLived = new Map<number, boolean>();
  const timesOf = (row: number): StaleTimes => {
    const own = times[rib.familyOf(row)];
    if (own.longLived === 0) return own;
    const attributes = routes.attributes[row] as number;
    let refused = withoutLongLived.get(attributes);
    if (refused === undefined) {
      refused = carriesCommunity(rib.rawAttributes(attributes), NO_LLGR);
      withoutLongLived.set(attributes, refused);
    }
    return refused ? { restart: own.restart, longLived: 0 } : own;
  };
  rib.forEachRow(peer, (row) => {
    if (routes.epoch[row] !== 0) return;
    if (routes.feed[row] === 0) {
      rib.removeRow(row);
      return;
    }
    const own = timesOf(row);
    const key = `${own.restart} ${own.longLived}`;
    let epoch = epochs.get(key);
    if (!epoch) {
      epoch = peer.newEpoch(rib.now(), own);
      epochs.set(key, epoch);
    }
    routes.epoch[row] = epoch.id;
    routes.flags[row] = (routes.flags[row] as number) & ~(ROW.refreshing | ROW.kept);
    peer.stale[rib.familyOf(row)]++;
    epoch.rows++;
  });
}

/** Ends what stale routes give to sets whose hold is over. */
export function endHolds(rib: Rib): void {
  for (const peer of rib.peers) {
    if (!peer) continue;
    let any = false;
    for (const epoch of peer.epochs.values()) {
      for (const set of rib.sets) {
        if (!set || epoch.ended.has(set.index) || holdEnd(set.definition, epoch) > rib.now()) continue;
        epoch.ended.add(set.index);
        any = true;
      }
    }
    if (!any) continue;
    rib.forEachRow(peer, (row) => {
      const ended = peer.epochs.get(rib.routes.epoch[row] as number)?.ended;
      if (ended) rib.endHolds(row, ended);
    });
  }
}

/** When the next hold is over; infinite when none ends. */
export function holdDeadline(rib: Rib): number {
  let first = Number.POSITIVE_INFINITY;
  for (const peer of rib.peers) {
    for (const epoch of peer?.epochs.values() ?? []) {
      for (const set of rib.sets) if (set && !epoch.ended.has(set.index)) first = Math.min(first, holdEnd(set.definition, epoch));
    }
  }
  return first;
}
