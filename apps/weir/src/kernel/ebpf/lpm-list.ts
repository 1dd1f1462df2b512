import { adoptMap, BatchError, BpfError, BpfMap, compareMap, deleteBatch, type PinDirectory, readEntries, updateBatch } from '@weir/ebpf/kernel';
import type { Family } from '@weir/wire/inet';
import type { MemberDelta, PrefixColumns } from '../../model/member-delta.ts';
import type { KernelList, ListChange, ListNeed } from './kernel-list.ts';

const NAME = 'weir_list';
const LENGTH_OCTETS = 4;

/** Members as prefixes in an LPM trie: one update a member. The key is the length u32 in host order, then the address. */
export class LpmList implements KernelList {
  readonly map: BpfMap;
  readonly #family: Family;
  readonly #words: number;
  #size = 0;

  private constructor(map: BpfMap, family: Family) {
    this.map = map;
    this.#family = family;
    this.#words = family === 4 ? 1 : 4;
    readEntries(map, () => this.#size++);
  }

  /** The list that is pinned under a name, or a new one; what was pinned there in another shape is left behind, with its members. BpfError. */
  static open(need: ListNeed, directory: PinDirectory, name: string): LpmList {
    const spec = { name: NAME, ...need.shape };
    const found = adoptMap(directory, name, spec);
    const map = found.kind === 'adopted' ? found.map : BpfMap.create(spec);
    try {
      if (found.kind !== 'adopted') directory.pin(map, name);
      return new LpmList(map, need.family);
    } catch (error) {
      map.close();
      throw error;
    }
  }

  /** The list that is pinned under a name, as it is; undefined where there is none. BpfError. */
  static adopt(family: Family, directory: PinDirectory, name: string): LpmList | undefined {
    const map = directory.map(name);
    if (map?.type === 'lpm_trie' && map.keySize === LENGTH_OCTETS + (family === 4 ? 4 : 16)) return new LpmList(map, family);
    map?.close();
    return undefined;
  }

  get size(): number {
    return this.#size;
  }

  fits({ shape }: ListNeed): boolean {
    return compareMap(this.map.info(), { name: NAME, ...shape }).length === 0;
  }

  constant(): undefined {
    return undefined;
  }

  apply(delta: MemberDelta): ListChange {
    const change = delta.complete ? this.#replace(delta) : this.#change(delta);
    this.#size += change.added - change.removed;
    return change;
  }

  #change(delta: MemberDelta): ListChange {
    const value = new Uint8Array(this.map.valueBytes).fill(1);
    let [added, removed, leftOut] = [0, 0, 0];
    for (let i = 0; i < delta.count; i++) {
      const key = this.#key(delta, i);
      if (delta.wanted[i] !== 1) removed += this.map.delete(key) ? 1 : 0;
      else
        try {
          this.map.update(key, value, 'new');
          added++;
        } catch (error) {
          if (!(error instanceof BpfError) || (error.reason !== 'exists' && error.reason !== 'full')) throw error;
          if (error.reason === 'full') leftOut++;
        }
    }
    return { added, removed, leftOut, grown: false };
  }

  #replace(delta: MemberDelta): ListChange {
    const gone = this.#keys();
    const add: Uint8Array[] = [];
    for (let i = 0; i < delta.count; i++) {
      if (delta.wanted[i] !== 1) continue;
      const key = this.#key(delta, i);
      if (!gone.delete(nameOf(key))) add.push(key);
    }
    if (gone.size > 0) deleteBatch(this.map, Buffer.concat([...gone.values()]));
    const added = this.#add(add);
    return { added, removed: gone.size, leftOut: add.length - added, grown: false };
  }

  #add(keys: readonly Uint8Array[]): number {
    if (keys.length === 0) return 0;
    try {
      updateBatch(this.map, Buffer.concat(keys), new Uint8Array(keys.length * this.map.valueBytes).fill(1));
      return keys.length;
    } catch (error) {
      if (error instanceof BatchError && error.reason === 'full') return error.done;
      throw error;
    }
  }

  members(): PrefixColumns {
    const keys = [...this.#keys().values()];
    const words = new Uint32Array(keys.length * this.#words);
    const lengths = new Uint8Array(keys.length);
    for (const [i, key] of keys.entries()) {
      const view = new DataView(key.buffer, key.byteOffset, key.length);
      lengths[i] = view.getUint32(0, true);
      for (let word = 0; word < this.#words; word++) words[i * this.#words + word] = view.getUint32(LENGTH_OCTETS + 4 * word);
    }
    return { family: this.#family, count: keys.length, words, lengths };
  }

  #keys(): Map<string, Uint8Array> {
    const found = new Map<string, Uint8Array>();
    readEntries(this.map, (key) => {
      const own = key.slice();
      found.set(nameOf(own), own);
    });
    return found;
  }

  #key({ words, lengths }: PrefixColumns | MemberDelta, index: number): Uint8Array {
    const key = new Uint8Array(LENGTH_OCTETS + 4 * this.#words);
    const view = new DataView(key.buffer);
    view.setUint32(0, lengths[index] ?? 0, true);
    for (let word = 0; word < this.#words; word++) view.setUint32(LENGTH_OCTETS + 4 * word, words[index * this.#words + word] ?? 0);
    return key;
  }

  close(): void {
    this.map.close();
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}
