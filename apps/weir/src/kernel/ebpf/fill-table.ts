import { type BpfMap, updateBatch } from '@weir/ebpf/kernel';

/** Writes the values of an array, one after the other as they are in `contents`; what `contents` has no values for stays zero. */
export function fillTable(map: BpfMap, contents: Uint8Array): void {
  const count = Math.floor(contents.length / map.valueSize);
  if (count === 0) return;
  const keys = Uint32Array.from({ length: count }, (_, index) => index);
  updateBatch(map, new Uint8Array(keys.buffer), contents.subarray(0, count * map.valueSize));
}
