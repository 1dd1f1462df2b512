import { join } from 'node:path';
import type { KernelPlan, KernelTarget } from '../compile/nft/targets.ts';
import type { KernelBackend } from '../kernel/backend.ts';
import type { KnownMembers } from '../kernel/ebpf/index.ts';
import type { KernelProblem } from '../model/kernel-port.ts';
import type { MemberDelta } from '../model/member-delta.ts';
import { loadConfirmedImage } from './image-file.ts';
import { joinColumns } from './join-columns.ts';
import { Ledger } from './ledger.ts';
import { Reconciler } from './reconciler.ts';
import { slotKeys } from './slot.ts';

export interface RestoreReport {
  /** Owned table that was loaded, if there is one. */
  readonly table: string | undefined;
  readonly members: number;
  readonly problems: readonly KernelProblem[];
  /** Why it is what was in force last, although a change of it waited for confirmation; undefined when it is what was asked for. */
  readonly fault: string | undefined;
}

/** Makes of the plan that was saved what is to be loaded now. */
export type Renew = (saved: KernelPlan) => KernelPlan;

/** The table of a plan, with those of its rules that are not saved with it. */
export type Complete = (plan: KernelPlan) => KernelPlan['table'];

/**
 * Loads what was in force when Weir ran last: the owned table with its members in one transaction, and the members of the user's sets that exist. Meant for boot,
 * before links come up; what is there already stays, so a second run sends nothing.
 */
export function restoreImage(
  backend: KernelBackend,
  stateDirectory: string,
  renew: Renew = (saved) => saved,
  complete: Complete = ({ table }) => table,
): RestoreReport | undefined {
  const { plan: last, fault } = loadConfirmedImage(stateDirectory);
  if (!last) return undefined;
  const plan = fault === undefined ? renew(last) : last;
  const wanted = plan.targets.flatMap((target) => saved(stateDirectory, target));
  const reconciler = new Reconciler({ backend, stateDirectory, emit: () => undefined, now: () => performance.now() });
  try {
    reconciler.restore(plan, wanted, complete(plan));
    const status = reconciler.status();
    return { table: status.ownedTable?.name, members: status.sets.reduce((n, s) => n + s.installed, 0), problems: status.problems, fault };
  } finally {
    reconciler.close();
  }
}

/** The members of sets that were in the kernel last, whichever kernel set that was. An Error where the saved plan cannot be read. */
export function savedMembers(stateDirectory: string): KnownMembers {
  const targets = loadConfirmedImage(stateDirectory).plan?.targets ?? [];
  return (set, family) =>
    joinColumns(
      family,
      targets.filter((target) => target.set === set && target.family === family).flatMap((target) => saved(stateDirectory, target)),
    );
}

/** The members that the ledger had last, whichever kernel set that was: a boot makes new ones. */
function saved(stateDirectory: string, target: KernelTarget): MemberDelta[] {
  return slotKeys(target).flatMap(({ key }) => {
    const ledger = Ledger.open(join(stateDirectory, 'ledger'), key);
    const members = ledger.takeSaved();
    ledger.close();
    if (members.count === 0) return [];
    const wanted = new Uint8Array(members.count).fill(1);
    return [{ set: target.set, complete: false, wanted, oldest: Number.POSITIVE_INFINITY, ...members }];
  });
}
