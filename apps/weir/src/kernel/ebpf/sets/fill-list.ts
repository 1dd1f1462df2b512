import { BpfMap } from '@weir/ebpf/kernel';
import type { Prefix } from '@weir/wire/inet';
import { SetMemory } from './set-memory.ts';

/** Puts members into the map that a program of one's own has for a set and family, as large as it is. RangeError when there is no room. BpfError. */
export function fillList(map: BpfMap, family: 4 | 6, members: readonly Prefix[]): void {
  const memory = SetMemory.adopt(BpfMap.borrow(map.fd), family);
  if (!memory) throw new RangeError(`map ${map.name} is not for a set`);
  try {
    for (const { w0, w1, w2, w3, length } of members)
      if (memory.add(w0, w1, w2, w3, length) === 'full') throw new RangeError(`map ${map.name} has no room for ${members.length} members`);
  } finally {
    memory.close();
  }
}
