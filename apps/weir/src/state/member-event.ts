import { printPrefix } from '@weir/wire/inet';
import type { Event } from '../model/event.ts';
import type { FamilyIndex } from './family-index.ts';
import type { Rib } from './rib.ts';
import type { SetState } from './set-state.ts';

/** A change of one member of a set, with the first peer that asks for it. `f` and `prefix` are indexes of the RIB. */
export function memberEvent(rib: Rib, set: SetState, f: FamilyIndex, prefix: number, present: boolean): Event {
  const [first] = present ? rib.contributors(set.index, f, prefix) : [];
  const peer = first === undefined ? undefined : rib.peers[first]?.definition.name;
  const text = printPrefix(rib.ribs[f].table.prefix(prefix));
  return { at: rib.now(), kind: 'member', set: set.definition.name, prefix: text, present, peer };
}
