import type { Reader } from '@weir/wire/bytes';
import { eachAttribute, readString } from '../message/index.ts';

/** The ruleset's generation: every commit of any process makes the next one. */
export interface Generation {
  readonly id: number;
  /** In a notification: who committed. */
  readonly processId?: number;
  readonly processName?: string;
}

/** The attributes of NEWGEN. */
export function decodeGeneration(r: Reader): Generation {
  const generation: { -readonly [K in keyof Generation]: Generation[K] } = { id: 0 };
  eachAttribute(r, (type, value) => {
    if (type === 1) generation.id = value.u32('NFTA_GEN_ID');
    else if (type === 2) generation.processId = value.u32('NFTA_GEN_PROC_PID');
    else if (type === 3) generation.processName = readString(value);
  });
  return generation;
}
