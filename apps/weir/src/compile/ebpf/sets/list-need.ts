import type { MapNeed } from '../../../model/ebpf-program.ts';
import { LIST_SHAPE } from '../../../model/list-shape.ts';
import { listSymbol } from '../../../model/set-layout.ts';

/** The members of a named set of one family. What a set holds never asks for another program; when it grows out of its map, programs are loaded anew with a larger one (`slotMaskSymbol`). */
export function listNeed(list: string, family: 4 | 6): MapNeed {
  return { kind: 'list', symbol: listSymbol(list, family), list, family, shape: LIST_SHAPE };
}
