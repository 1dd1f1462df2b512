import type { MapShape } from './ebpf-program.ts';
import { SET_LAYOUT } from './set-layout.ts';

/** The map of a set of one family: an array with one value that is shared memory. */
export const LIST_SHAPE: MapShape = {
  type: 'array',
  keySize: 4,
  valueSize: SET_LAYOUT.leastOctets,
  maxEntries: 1,
  flags: SET_LAYOUT.mapFlags,
};
