import type { BpfMap } from './map.ts';
import { sumCpus } from './per-cpu.ts';

/**
 * A counter of 64 bits that programs count up in an array map, per CPU or not: how many records of a ring buffer were lost because it was full, for example. BpfError;
 * RangeError when the map has no such values.
 */
export class CounterReader {
  readonly #map: BpfMap;
  readonly #key = new Uint8Array(4);
  readonly #value: Uint8Array;
  readonly #word: number;
  #last = 0n;

  /** Word `word` (of 8 bytes) of entry `index`. */
  constructor(map: BpfMap, index: number, word: number = 0) {
    if (map.keySize !== 4 || map.valueSize % 8 !== 0 || word >= map.valueSize / 8)
      throw new RangeError(`map ${map.name} has no counter ${index}.${word}`);
    this.#map = map;
    this.#word = word;
    this.#value = new Uint8Array(map.valueBytes);
    new DataView(this.#key.buffer).setUint32(0, index, true);
  }

  /** Since the map was made, over all CPUs. */
  total(): bigint {
    if (!this.#map.lookupInto(this.#key, this.#value)) throw new RangeError(`map ${this.#map.name} has no entry ${this.#key.join('.')}`);
    return sumCpus(this.#value, this.#map.valueSize)[this.#word] ?? 0n;
  }

  /** Since the call before, or since the map was made. */
  since(): bigint {
    const total = this.total();
    const grown = total - this.#last;
    this.#last = total;
    return grown;
  }
}
