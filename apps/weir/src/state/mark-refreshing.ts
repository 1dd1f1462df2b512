import type { FamilyIndex } from './family-index.ts';
import type { PeerState } from './peer-state.ts';
import type { Rib } from './rib.ts';
import { ROW } from './route-table.ts';

/** Marks the fresh routes of a family as not announced since a refresh began (RFC 7313 section 4), or takes the marks away. */
export function markRefreshing(rib: Rib, peer: PeerState, f: FamilyIndex, begins: boolean): void {
  const { epoch, flags } = rib.routes;
  rib.forEachRow(peer, (row) => {
    if (epoch[row] !== 0 || rib.familyOf(row) !== f) return;
    flags[row] = begins ? (flags[row] as number) | ROW.refreshing : (flags[row] as number) & ~ROW.refreshing;
  });
}
