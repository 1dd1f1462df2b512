import type { KernelTarget } from '../compile/nft/targets.ts';
import { refusedKey } from './committer.ts';

/** Of members that are left out of a target. */
export function conflictKey(target: KernelTarget): string {
  return `${target.key} conflict`;
}

/** Of a fight over what Weir puts there. */
export function driftKey(target: KernelTarget): string {
  return `${target.key} drift`;
}

/** Every problem that a target may have. */
export function problemKeys(target: KernelTarget): string[] {
  return [target.key, refusedKey(target), conflictKey(target), driftKey(target)];
}
