import { readFileSync } from 'node:fs';
import { MAP_TYPES, type MapType } from './map-type.ts';
import { objectInfo, readName } from './object-info.ts';

/** What the kernel says about a map (`struct bpf_map_info`). */
export interface MapInfo {
  readonly id: number;
  /** `unspec` for a type that is not known here; see `typeNumber`. */
  readonly type: MapType;
  readonly typeNumber: number;
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
}

const LENGTH = 88;

/** SystemError when the descriptor is no map. */
export function readMapInfo(fd: number): MapInfo {
  return decodeMapInfo(objectInfo(fd, LENGTH));
}

export function decodeMapInfo(view: DataView): MapInfo {
  const u32 = (at: number): number => view.getUint32(at, true);
  return {
    typeNumber: u32(0),
    type: MAP_TYPES[u32(0)] ?? 'unspec',
    id: u32(4),
    keySize: u32(8),
    valueSize: u32(12),
    maxEntries: u32(16),
    flags: u32(20),
    name: readName(view, 24),
  };
}

/** Bytes of the kernel's memory that a map takes, and whether it is frozen, from /proc; undefined where it does not say. */
export function readMapUsage(fd: number): { readonly memory: number | undefined; readonly frozen: boolean } {
  const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
  const memory = /^memlock:\s*(\d+)$/m.exec(text)?.[1];
  return { memory: memory === undefined ? undefined : Number(memory), frozen: /^frozen:\s*1$/m.test(text) };
}
