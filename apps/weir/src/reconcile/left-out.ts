import type { FullList } from '../kernel/backend.ts';
import { refusedKey } from './committer.ts';
import { conflictKey } from './problem-keys.ts';
import type { Problems } from './problems.ts';
import type { Target } from './slot.ts';

/** Tells of members that are not in the kernel's sets although they should be, or not in the lists that programs of rules look into, and of their end. */
export function reportLeftOut(problems: Problems, targets: Iterable<Target>, lists: readonly FullList[]): void {
  for (const target of targets) reportTarget(problems, target);
  reportFullLists(problems, lists);
}

function reportTarget(problems: Problems, { target, slots, retired }: Target): void {
  if (retired) return;
  if (!slots.some((slot) => slot.full || (slot.retry && slot.info))) problems.over(refusedKey(target));
  const key = conflictKey(target);
  const left = slots.map((slot) => slot.view.leftOut(1));
  const conflict = left.findIndex((l, i) => l.conflicts.length > 0 && !slots[i]?.full);
  const unfit = left.findIndex((l) => l.unfit.length > 0);
  const slot = slots[conflict >= 0 ? conflict : unfit];
  if (!slot) {
    problems.over(key);
    return;
  }
  const name = `${slot.address.table} ${slot.address.set}`;
  const message =
    conflict >= 0
      ? `some members are left out of ${name}: elements that Weir did not add are in their way`
      : `some members are prefixes, but ${name} holds hosts only`;
  problems.raise(key, { kind: 'conflict', subject: target.set, message, remedy: undefined });
}

const FULL = 'programs of rules: ';

function reportFullLists(problems: Problems, lists: readonly FullList[]): void {
  const full = new Set<string>();
  for (const { set, family, members, leftOut } of lists) {
    const key = `${FULL}${family} ${set}`;
    full.add(key);
    const message = `${leftOut} members of IPv${family} are not where programs of rules look: the map is full with ${members}`;
    problems.raise(key, { kind: 'list-full', subject: set, message, remedy: undefined });
  }
  problems.keepOf(FULL, full);
}
