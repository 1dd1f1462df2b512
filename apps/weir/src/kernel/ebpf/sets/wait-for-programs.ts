import { BpfMap } from '@weir/ebpf/kernel';

/**
 * Returns when every program that is running now has ended: the kernel waits for them when the map in a map of maps is replaced. Some milliseconds. BpfError.
 */
export function waitForPrograms(): void {
  const inner = { name: 'weir_wait', type: 'array', keySize: 4, valueSize: 4, maxEntries: 1 } as const;
  const held = BpfMap.create(inner);
  try {
    const outer = BpfMap.create({ name: 'weir_wait', type: 'array_of_maps', maxEntries: 1, inner });
    try {
      outer.update(new Uint8Array(4), new Uint8Array(Int32Array.of(held.fd).buffer));
    } finally {
      outer.close();
    }
  } finally {
    held.close();
  }
}
