import { BpfMap, type PinDirectory } from '@weir/ebpf/kernel';

const KEY = new Uint8Array(4);
/** A text that is kept in a map is at most so long. */
const MOST = 64 * 1024 * 1024;

/** Pins a text: a map with one value, since a BPF file system holds no files. A process that is killed leaves the text before or this one. BpfError, RangeError when it is too long. */
export function pinText(directory: PinDirectory, name: string, text: string): void {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > MOST) throw new RangeError(`a text of ${bytes.length} octets`);
  const value = new Uint8Array(Math.max(1, bytes.length));
  value.set(bytes);
  const map = BpfMap.create({ name: 'weir_text', type: 'array', keySize: 4, valueSize: value.length, maxEntries: 1 });
  try {
    map.update(KEY, value);
    map.freeze();
    directory.pin(map, name);
  } finally {
    map.close();
  }
}

/** A text that is pinned; undefined where there is none. BpfError. */
export function readText(directory: PinDirectory, name: string): string | undefined {
  const map = directory.map(name);
  if (!map) return undefined;
  try {
    const value = map.keySize === 4 && map.valueBytes <= MOST ? map.lookup(KEY) : undefined;
    return value && new TextDecoder().decode(value).replace(/\0+$/, '');
  } finally {
    map.close();
  }
}
