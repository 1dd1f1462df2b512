import { holdEnd, type PeerState } from './peer-state.ts';
import type { Rib } from './rib.ts';
import { ROW } from './route-table.ts';

/** The session of a peer is lost now: its fresh routes become stale, those that give nothing go. Routes that were stale already keep their time. */
export function makeStale(rib: Rib, peer: PeerState): void {
  if (peer.fresh(0) + peer.fresh(1) === 0) return;
  const { routes } = rib;
  const epoch = peer.newEpoch(rib.now());
  rib.forEachRow(peer, (row) => {
    if (routes.epoch[row] !== 0) return;
    if (routes.feed[row] === 0) {
      rib.removeRow(row);
      return;
    }
    routes.epoch[row] = epoch.id;
    routes.flags[row] = (routes.flags[row] as number) & ~(ROW.refreshing | ROW.kept);
    peer.stale[rib.familyOf(row)]++;
    epoch.rows++;
  });
  if (epoch.rows === 0) peer.epochs.delete(epoch.id);
}

/** Ends what stale routes give to sets whose hold is over. */
export function endHolds(rib: Rib): void {
  for (const peer of rib.peers) {
    if (!peer) continue;
    let any = false;
    for (const epoch of peer.epochs.values()) {
      for (const set of rib.sets) {
        if (!set || epoch.ended.has(set.index) || holdEnd(set.definition, epoch.lostAt) > rib.now()) continue;
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
      for (const set of rib.sets) if (set && !epoch.ended.has(set.index)) first = Math.min(first, holdEnd(set.definition, epoch.lostAt));
    }
  }
  return first;
}
