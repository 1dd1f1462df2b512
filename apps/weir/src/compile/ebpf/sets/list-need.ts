import type { MapNeed, MapShape } from '../../../model/ebpf-program.ts';
import { listSymbol, SET_LAYOUT } from '../../../model/set-layout.ts';

/** The map of a set: an array with one value that is shared memory. */
const SHAPE: MapShape = { type: 'array', keySize: 4, valueSize: SET_LAYOUT.leastOctets, maxEntries: 1, flags: SET_LAYOUT.mapFlags };

/** The members of a named set of one family. What a set holds never asks for another program; when it grows out of its map, programs are loaded anew with a larger one (`slotMaskSymbol`). */
export function listNeed(list: string, family: 4 | 6): MapNeed {
  return { kind: 'list', symbol: listSymbol(list, family), list, family, shape: SHAPE };
}
