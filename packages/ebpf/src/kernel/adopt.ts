import type { BpfMap, MapSpec } from './map.ts';
import { mapShape } from './map-type.ts';
import type { PinDirectory } from './pin.ts';

/** A way in which a map is not the one that is wanted. */
export interface MapDifference {
  readonly field: 'type' | 'keySize' | 'valueSize' | 'maxEntries' | 'flags' | 'name';
  readonly have: string | number;
  readonly want: string | number;
}

/** `adopted`: the map is the caller's to close. `unfit`: it is another one; every difference is named, and nothing was changed. */
export type MapAdoption =
  | { readonly kind: 'adopted'; readonly map: BpfMap }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unfit'; readonly differences: readonly MapDifference[] };

/** Flags that the kernel may add or leave out of what it reports, and that say nothing about what a map holds. */
const IRRELEVANT = 0x4;

/** Opens a pinned map if it is what `spec` asks for. What its inner maps look like is not compared: the kernel does not tell. BpfError. */
export function adoptMap(directory: PinDirectory, pin: string, spec: MapSpec): MapAdoption {
  const map = directory.map(pin);
  if (!map) return { kind: 'absent' };
  const differences = compareMap(map.info(), spec);
  if (differences.length === 0) return { kind: 'adopted', map };
  map.close();
  return { kind: 'unfit', differences };
}

/** Where a map differs from what is wanted; nowhere when it can serve. */
export function compareMap(
  have: { readonly [Field in MapDifference['field']]: Field extends 'type' | 'name' ? string : number },
  spec: MapSpec,
): readonly MapDifference[] {
  const shape = mapShape(spec.type, spec.keySize, spec.valueSize, spec.flags);
  const want = { ...shape, maxEntries: spec.maxEntries, name: spec.name };
  const fields = ['type', 'keySize', 'valueSize', 'maxEntries', 'flags', 'name'] as const;
  return fields
    .filter((field) => (field === 'flags' ? (have.flags | IRRELEVANT) !== (want.flags | IRRELEVANT) : have[field] !== want[field]))
    .map((field) => ({ field, have: have[field], want: want[field] }));
}
