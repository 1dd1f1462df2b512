import type { Ip } from '@weir/wire/inet';
import type { PrefixColumns } from '../model/member-delta.ts';
import type { Target } from './slot.ts';

/** What a set should have, in each of the places where it is. */
export function membersOf(targets: Iterable<Target>, set: string): readonly PrefixColumns[] {
  const mine = [...targets].filter(({ target, retired }) => !retired && target.set === set);
  return mine.flatMap(({ slots }) => slots.map((slot) => slot.view.wantedColumns()));
}

/** Whether an address is a member of a set that Weir fills. */
export function isMember(targets: Iterable<Target>, set: string, { family, w0, w1, w2, w3 }: Ip): boolean {
  for (const { target, slots, retired } of targets) {
    if (retired || target.set !== set || target.family !== family) continue;
    if (slots.some(({ view }) => view.contains(w0, w1, w2, w3))) return true;
  }
  return false;
}
