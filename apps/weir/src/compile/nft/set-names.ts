import type { Family } from '@weir/wire/inet';

/**
 * A set of the configuration in the owned table: hosts in a hash set, whose cost does not grow with their number, everything shorter in an interval
 * set. Rules look in both.
 */
export function ownedSetNames(set: string, family: Family): { readonly hosts: string; readonly networks: string } {
  return { hosts: `${set}_v${family}`, networks: `${set}_v${family}_net` };
}
