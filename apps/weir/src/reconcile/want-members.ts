import { eachPrefix } from '../compile/nft/prefix-columns.ts';
import type { MemberDelta } from '../model/member-delta.ts';
import type { Slot } from './slot.ts';

/** Hosts go to the first slot and the rest to the second, where there are two. */
export function wantMembers(delta: MemberDelta, slots: readonly Slot[]): void {
  const first = slots[0]?.view;
  const second = slots[1]?.view ?? first;
  if (!first || !second) return;
  const bits = delta.family === 4 ? 32 : 128;
  if (delta.complete) for (const { view } of slots) view.beginComplete();
  const { wanted } = delta;
  eachPrefix(delta, (w0, w1, w2, w3, length, i) => {
    (length < bits ? second : first).want(w0, w1, w2, w3, length, wanted[i] === 1);
  });
  if (delta.complete) for (const { view } of slots) view.endComplete();
}
