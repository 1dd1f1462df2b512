/** Types of maps (`enum bpf_map_type`) by number, under the names that bpftool prints. */
export const MAP_TYPES = [
  'unspec',
  'hash',
  'array',
  'prog_array',
  'perf_event_array',
  'percpu_hash',
  'percpu_array',
  'stack_trace',
  'cgroup_array',
  'lru_hash',
  'lru_percpu_hash',
  'lpm_trie',
  'array_of_maps',
  'hash_of_maps',
  'devmap',
  'sockmap',
  'cpumap',
  'xskmap',
  'sockhash',
  'cgroup_storage',
  'reuseport_sockarray',
  'percpu_cgroup_storage',
  'queue',
  'stack',
  'sk_storage',
  'devmap_hash',
  'struct_ops',
  'ringbuf',
  'inode_storage',
  'task_storage',
  'bloom_filter',
  'user_ringbuf',
  'cgrp_storage',
  'arena',
] as const;

export type MapType = (typeof MAP_TYPES)[number];

export function mapTypeNumber(type: MapType): number {
  return MAP_TYPES.indexOf(type);
}

/** Whether the map holds a value for each possible CPU under one key. */
export function isPerCpu(type: MapType): boolean {
  return type === 'percpu_array' || type === 'percpu_hash' || type === 'lru_percpu_hash';
}

/** Whether keys are indices from 0, all of which are always there. */
export function isArray(type: MapType): boolean {
  return type === 'array' || type === 'percpu_array' || type === 'prog_array' || type === 'array_of_maps';
}

export function isMapOfMaps(type: MapType): boolean {
  return type === 'array_of_maps' || type === 'hash_of_maps';
}

/** Flags of a map, for `MapSpec.flags` (BPF_F_* of `linux/bpf.h`). */
export const MAP_FLAG = {
  /** Entries are allocated as they come, not all at once. Tries always have it. */
  noPrealloc: 0x1,
  /** Each CPU has an LRU list of its own. */
  noCommonLru: 0x2,
  /** Programs may not write. */
  readOnlyProgram: 0x80,
  writeOnlyProgram: 0x100,
  /** The values of an array can be mapped into a process. */
  mmapable: 0x400,
  /** As an inner map an array may have another number of entries than the template. */
  innerMap: 0x1000,
} as const;

/** Bytes of the values of one key as the kernel gives and takes them: per-CPU values are padded to 8 bytes and come one after the other for each possible CPU. */
export function valueBytes(type: MapType, valueSize: number, cpus: number): number {
  return isPerCpu(type) ? Math.ceil(valueSize / 8) * 8 * cpus : valueSize;
}

/** Key, value and flags with what a type has to have. */
export interface MapShape {
  readonly type: MapType;
  readonly keySize: number;
  readonly valueSize: number;
  readonly flags: number;
}

/** What is left out of a map's shape where its type leaves no choice: 4-byte indices and descriptors, tries without preallocation, ring buffers without both sizes. RangeError where it contradicts. */
export function mapShape(type: MapType, keySize: number | undefined, valueSize: number | undefined, flags: number = 0): MapShape {
  const ring = type === 'ringbuf';
  const key = isArray(type) ? 4 : ring ? 0 : undefined;
  const value = isMapOfMaps(type) || type === 'prog_array' ? 4 : ring ? 0 : undefined;
  return {
    type,
    keySize: size('key', keySize, key),
    valueSize: size('value', valueSize, value),
    flags: type === 'lpm_trie' ? flags | MAP_FLAG.noPrealloc : flags,
  };
}

function size(what: string, given: number | undefined, fixed: number | undefined): number {
  const found = given ?? fixed;
  if (found === undefined || (fixed !== undefined && found !== fixed) || !Number.isInteger(found) || found < 0)
    throw new RangeError(`a ${what} of ${given ?? 'no'} bytes${fixed === undefined ? '' : `: it has ${fixed}`}`);
  return found;
}
