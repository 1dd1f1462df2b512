import { readdirSync } from 'node:fs';
import { removeNamespace } from '../../test/lab/index.ts';
import { failure, type Outcome, success } from './steps.ts';

/** The named network namespaces of this machine. */
export function listNamespaces(): readonly string[] {
  try {
    return readdirSync('/run/netns');
  } catch (error) {
    // ENOENT: nobody has made one since boot.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * What the tests left behind: namespaces called `weir-...` that were not there before. They are removed, and each is named. Those of a process
 * that still runs (another test run on this machine) are left alone.
 */
export function checkLeftovers(before: readonly string[]): Outcome {
  const left = listNamespaces().filter((name) => !before.includes(name) && name.startsWith('weir-') && !ownerRuns(name));
  if (left.length === 0) return success();
  for (const name of left) removeNamespace(name);
  return failure(`left behind, and now removed: ${left.join(', ')}`);
}

function ownerRuns(name: string): boolean {
  const pid = Number(/^weir-(\d+)-/.exec(name)?.[1]);
  if (!Number.isInteger(pid)) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, as another user.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
