import { BpfMap, mapArrayValues } from '@weir/ebpf/kernel';
import type { MappedMemory } from '@weir/sys';
import type { Family } from '@weir/wire/inet';
import type { PrefixColumns } from '../../../model/member-delta.ts';
import { SET_LAYOUT } from '../../../model/set-layout.ts';
import { countMembers, eachMember, openTrie } from './read-trie.ts';
import { type Added, type SetTrie, writeHeader } from './set-trie.ts';
import { waitForPrograms } from './wait-for-programs.ts';

const NAME = 'weir_set';

/** How many there are, hold something, and wait until no program looks at them. */
export interface Slots {
  readonly all: number;
  readonly used: number;
  readonly resting: number;
}

/**
 * One family of a set in a map of the kernel: the trie is in the map's own memory, mapped into this process, so that reading and changing it takes no system call. BpfError.
 */
export class SetMemory {
  readonly map: BpfMap;
  readonly #memory: MappedMemory;
  readonly #words: Int32Array;
  readonly #trie: SetTrie;
  #closed = false;

  private constructor(map: BpfMap, memory: MappedMemory, trie: (words: Int32Array) => SetTrie | undefined) {
    const { buffer, byteOffset } = memory.bytes;
    this.map = map;
    this.#memory = memory;
    this.#words = new Int32Array(buffer, byteOffset, map.valueSize / 4);
    const made = trie(this.#words);
    if (!made) throw new RangeError(`map ${map.name} does not hold a set`);
    this.#trie = made;
  }

  /** A new map for a set without members. `octets` is a power of two from `leastOctets` to `mostOctets`; `homes`: buckets for hosts, of IPv6. */
  static create(family: Family, octets: number, homes = 0): SetMemory {
    const { mapFlags } = SET_LAYOUT;
    const map = BpfMap.create({ name: NAME, type: 'array', keySize: 4, valueSize: octets, maxEntries: 1, flags: mapFlags });
    return withMemory(map, (memory) => new SetMemory(map, memory, (words) => begin(words, family, homes)));
  }

  /** Takes over a map, whose members stay: undefined, and the map is closed, where it does not hold a set of the family. Zeros are a set without members. */
  static adopt(map: BpfMap, family: Family): SetMemory | undefined {
    const { leastOctets, mostOctets, mapFlags } = SET_LAYOUT;
    const { type, flags } = map.info();
    const octets = map.valueSize;
    const fits = octets >= leastOctets && octets <= mostOctets && (octets & (octets - 1)) === 0;
    if (type !== 'array' || map.maxEntries !== 1 || (flags & mapFlags) === 0 || !fits) {
      map.close();
      return undefined;
    }
    return withMemory(map, (memory) => {
      const words = new Int32Array(memory.bytes.buffer, memory.bytes.byteOffset, octets / 4);
      const header = words.subarray(SET_LAYOUT.headerSlot * SET_LAYOUT.slotWords, SET_LAYOUT.poolSlot * SET_LAYOUT.slotWords);
      const trie = header.every((word) => word === 0) ? begin(words, family) : openTrie(words, family);
      if (trie?.hosts) {
        waitForPrograms();
        trie.reclaim();
      }
      if (trie) return new SetMemory(map, memory, () => trie);
      memory.close();
      map.close();
      return undefined;
    });
  }

  /** Another map with the same members, of this many octets and with this many homes for hosts. Undefined where they find no room there. */
  moved(octets: number, homes: number): SetMemory | undefined {
    const trie = this.#open();
    const made = SetMemory.create(trie.family, octets, homes);
    try {
      if (made.#trie.copy(trie)) return made;
      let fits = true;
      eachMember(this.#words, trie.family, (w0, w1, w2, w3, length) => {
        fits &&= made.add(w0, w1, w2, w3, length) !== 'full';
      });
      if (fits) return made;
    } catch (error) {
      made.close();
      throw error;
    }
    made.close();
    return undefined;
  }

  get family(): Family {
    return this.#open().family;
  }

  /** Members. */
  get size(): number {
    return this.#open().size;
  }

  /** Octets of the map. */
  get octets(): number {
    return this.map.valueSize;
  }

  /** Members that are one address. */
  get hostCount(): number {
    return this.#open().hostCount;
  }

  /** Of 64 octets: all, those that hold something, and those that may hold what a running program looks at. */
  get slots(): Slots {
    const { pool } = this.#open();
    return { all: pool.slots, used: pool.used, resting: pool.resting };
  }

  /** Places for hosts, as `slots`; undefined where they have none of their own. */
  get hosts(): Slots | undefined {
    const { hosts } = this.#open();
    return hosts && { all: hosts.places, used: hosts.size, resting: hosts.resting };
  }

  add(w0: number, w1: number, w2: number, w3: number, length: number): Added {
    return this.#open().add(w0, w1, w2, w3, length);
  }

  remove(w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    return this.#open().remove(w0, w1, w2, w3, length);
  }

  has(w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    return this.#open().has(w0, w1, w2, w3, length);
  }

  /** Every program that ran when something was given back last has ended. */
  reclaim(): void {
    this.#open().reclaim();
  }

  /** What the memory says now, whoever wrote it. */
  members(): PrefixColumns {
    const { family, size } = this.#open();
    const stride = family === 4 ? 1 : 4;
    // Another process may have written it: then there may be more, or fewer.
    let [words, lengths, count] = [new Uint32Array(size * stride), new Uint8Array(size), 0];
    eachMember(this.#words, family, (w0, w1, w2, w3, length) => {
      if (count === lengths.length) {
        const [more, longer] = [new Uint32Array((count + 1024) * 2 * stride), new Uint8Array((count + 1024) * 2)];
        more.set(words);
        longer.set(lengths);
        [words, lengths] = [more, longer];
      }
      words[count * stride] = w0;
      if (stride === 4) {
        words[count * 4 + 1] = w1;
        words[count * 4 + 2] = w2;
        words[count * 4 + 3] = w3;
      }
      lengths[count++] = length;
    });
    return { family, count, words: words.subarray(0, count * stride), lengths: lengths.subarray(0, count) };
  }

  /** Whether the memory is whole, and has as many members as this process has put there. */
  isSound(): boolean {
    const trie = this.#open();
    return countMembers(this.#words, trie.family) === trie.size && trie.isSound();
  }

  /** Gives back the descriptor and the mapping. Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#memory.close();
    this.map.close();
  }

  /** Nothing may look at the memory once it is no longer mapped. */
  #open(): SetTrie {
    if (this.#closed) throw new RangeError('the memory of a set that is closed');
    return this.#trie;
  }
}

/** Memory of zeros. */
function begin(words: Int32Array, family: Family, homes = 0): SetTrie | undefined {
  writeHeader(words, family, homes);
  const trie = openTrie(words, family);
  trie?.reclaim();
  return trie;
}

/** The map with its memory: both are closed when `use` throws. */
function withMemory<T>(map: BpfMap, use: (memory: MappedMemory) => T): T {
  let memory: MappedMemory | undefined;
  try {
    memory = mapArrayValues(map, { write: true });
    return use(memory);
  } catch (error) {
    memory?.close();
    map.close();
    throw error;
  }
}
