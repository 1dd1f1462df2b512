import { type BpfMap, deleteBatch, type InterfaceInfo, readEntries } from '@weir/ebpf/kernel';

/** Makes a map of names by index what the interfaces are called now, changing only what is not. BpfError where there is no room. */
export function writeInterfaceNames(map: BpfMap, interfaces: Iterable<InterfaceInfo>): void {
  const there = new Map<number, string>();
  readEntries(map, (key, value) => there.set(viewOf(key).getUint32(0, true), textOf(value)));
  const key = new Uint8Array(4);
  for (const { index, name } of interfaces) {
    if (there.get(index) !== name) {
      const value = new Uint8Array(map.valueBytes);
      value.set(new TextEncoder().encode(name).subarray(0, value.length));
      viewOf(key).setUint32(0, index, true);
      map.update(key, value);
    }
    there.delete(index);
  }
  if (there.size > 0 && !map.isArray) deleteBatch(map, new Uint8Array(Uint32Array.from(there.keys()).buffer));
}

function textOf(value: Uint8Array): string {
  return new TextDecoder().decode(value).replace(/\0+$/, '');
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
