import type { Family } from '@weir/wire/inet';
import type { NamedSet } from '../../model/named-set.ts';
import type { SetImage } from './image.ts';
import { ownedSetNames } from './set-names.ts';

const FAMILIES: readonly Family[] = [4, 6];
const MIN_SIZE = 65_536;

/** The kernel sets of a set of the configuration: hosts and networks of each family. */
export function ownedSets(set: NamedSet): SetImage[] {
  return FAMILIES.flatMap((family): SetImage[] => {
    const names = ownedSetNames(set.name, family);
    return [
      { name: names.hosts, family, interval: false, size: hashSize(set.guard.maxMembers), comment: `hosts of ${set.name}` },
      { name: names.networks, family, interval: true, size: undefined, comment: `networks of ${set.name}` },
    ];
  });
}

/** A power of two, so that a small change of the limit does not ask for a new set. */
function hashSize(members: number): number {
  let size = MIN_SIZE;
  while (size < members) size *= 2;
  return size;
}
