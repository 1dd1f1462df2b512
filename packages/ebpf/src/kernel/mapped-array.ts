import { MappedMemory, pageSize } from '@weir/sys';
import { attempt } from './bpf-error.ts';
import type { BpfMap } from './map.ts';

/** The values of an array with the flag `mmapable` as shared memory; each begins at a multiple of its size rounded up to 8. BpfError. */
export function mapArrayValues(map: BpfMap, options: { readonly write: boolean }): MappedMemory {
  const page = pageSize();
  const length = Math.ceil((Math.ceil(map.valueSize / 8) * 8 * map.maxEntries) / page) * page;
  return attempt({ operation: 'map the memory of', object: `map ${map.name}`, needs: ['CAP_BPF'] }, () =>
    MappedMemory.map(map.fd, length, options),
  );
}
