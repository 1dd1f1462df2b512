import { join } from 'node:path';
import type { KernelTarget } from '../compile/nft/targets.ts';
import type { KernelBackend } from '../kernel/backend.ts';
import type { KernelProblem } from '../model/kernel-port.ts';
import type { MemberDelta } from '../model/member-delta.ts';
import { loadImage } from './image-file.ts';
import { Ledger } from './ledger.ts';
import { Reconciler } from './reconciler.ts';

export interface RestoreReport {
  /** Owned table that was loaded, if there is one. */
  readonly table: string | undefined;
  readonly members: number;
  readonly problems: readonly KernelProblem[];
}

/**
 * Loads what was in force when Weir ran last: the owned table with its members in one transaction, and the members of the user's sets that exist. Meant for boot,
 * before links come up; what is there already stays, so a second run sends nothing.
 */
export function restoreImage(backend: KernelBackend, stateDirectory: string): RestoreReport | undefined {
  const plan = loadImage(stateDirectory);
  if (!plan) return undefined;
  const wanted = plan.targets.flatMap((target) => ledgerDelta(stateDirectory, target));
  const reconciler = new Reconciler({ backend, stateDirectory, emit: () => undefined, now: () => performance.now() });
  try {
    reconciler.restore(plan, wanted);
    const status = reconciler.status();
    return { table: status.ownedTable?.name, members: status.sets.reduce((n, s) => n + s.installed, 0), problems: status.problems };
  } finally {
    reconciler.close();
  }
}

function ledgerDelta(stateDirectory: string, target: KernelTarget): MemberDelta[] {
  const { place, family, set } = target;
  const names = place.kind === 'user' ? [place.set] : [place.hosts, place.networks];
  const kernelFamily = place.kind === 'user' ? place.family : 'inet';
  const words: number[] = [];
  const lengths: number[] = [];
  for (const name of names) {
    const ledger = Ledger.open(join(stateDirectory, 'ledger'), `${kernelFamily} ${place.table} ${name}`, family);
    ledger.each((w0, w1, w2, w3, length) => {
      words.push(w0);
      if (family === 6) words.push(w1, w2, w3);
      lengths.push(length);
    });
    ledger.close();
  }
  const count = lengths.length;
  return [
    {
      set,
      family,
      complete: true,
      count,
      words: Uint32Array.from(words),
      lengths: Uint8Array.from(lengths),
      wanted: new Uint8Array(count).fill(1),
      oldest: Number.POSITIVE_INFINITY,
    },
  ];
}
