import { BpfError, type PinDirectory } from '@weir/ebpf/kernel';
import { type Family, PrefixTable } from '@weir/wire/inet';
import type { MemberDelta, PrefixColumns } from '../../../model/member-delta.ts';
import { SET_LAYOUT } from '../../../model/set-layout.ts';
import type { KernelList, ListChange, ListNeed } from '../kernel-list.ts';
import { SetMemory } from './set-memory.ts';
import { type SetSize, sizesFor } from './set-size.ts';
import type { Added } from './set-trie.ts';
import { waitForPrograms } from './wait-for-programs.ts';

/** Where a list's map is pinned. */
type Pins = Pick<PinDirectory, 'map' | 'pin'>;

/** Why there is no room: it has the size that a map may have, or the kernel has no memory for a larger one. */
export type FullReason = 'limit' | 'memory';

export interface ListPressure {
  /** Octets of the map, and the most it can grow to. */
  readonly octets: number;
  readonly mostOctets: number;
  /** Share of the slots that hold something, 0 to 1. */
  readonly filled: number;
  /** Undefined where there was room for everything. */
  readonly full: FullReason | undefined;
}

/** A share of the slots for which it is worth it to wait until they are free, rather than to grow. */
const WORTH_WAITING = 1 / 8;
/** Slots: more than one member can ask for. */
const LEAST_RECLAIMED = 8;

/**
 * Members where programs find them in a few steps (`model/set-layout.ts`). Changes are stores into shared memory: those that add before those that remove, so that what is covered
 * before and after a delta is covered in between. A list that is full moves to a map of twice the size or more, which is pinned in its place; programs that are bound to the one before go
 * on with what that had. BpfError.
 */
export class TrieList implements KernelList {
  readonly #family: Family;
  readonly #directory: Pins;
  readonly #name: string;
  readonly #mostOctets: number;
  #memory: SetMemory;
  #full: FullReason | undefined;

  private constructor(family: Family, directory: Pins, name: string, memory: SetMemory, mostOctets: number) {
    this.#family = family;
    this.#directory = directory;
    this.#name = name;
    this.#memory = memory;
    this.#mostOctets = mostOctets;
  }

  /** The list that is pinned under a name, or a new one; what was pinned there and is no list of this kind is left behind. `mostOctets` bounds its map. */
  static open({ family }: Pick<ListNeed, 'family'>, directory: Pins, name: string, mostOctets: number = SET_LAYOUT.mostOctets): TrieList {
    const found = TrieList.adopt(family, directory, name, mostOctets);
    if (found) return found;
    const memory = SetMemory.create(family, SET_LAYOUT.leastOctets);
    try {
      directory.pin(memory.map, name);
    } catch (error) {
      memory.close();
      throw error;
    }
    return new TrieList(family, directory, name, memory, mostOctets);
  }

  /** The list that is pinned under a name, with its members; undefined where there is none, or what is there is not whole. */
  static adopt(family: Family, directory: Pins, name: string, mostOctets: number = SET_LAYOUT.mostOctets): TrieList | undefined {
    const map = directory.map(name);
    const memory = map && SetMemory.adopt(map, family);
    return memory && new TrieList(family, directory, name, memory, mostOctets);
  }

  get map(): SetMemory['map'] {
    return this.#memory.map;
  }

  get size(): number {
    return this.#memory.size;
  }

  /** Whatever it holds: programs are the same for all sizes. */
  fits({ family, shape }: ListNeed): boolean {
    return family === this.#family && shape.type === 'array' && shape.flags === SET_LAYOUT.mapFlags;
  }

  apply(delta: MemberDelta): ListChange {
    const before = this.#memory;
    const empty = before.size === 0;
    this.#full = undefined;
    // Places for hosts that wait are not to push others into the trie.
    if (before.hosts && before.hosts.resting > before.hosts.all * WORTH_WAITING) this.#reclaim(WORTH_WAITING);
    const first = this.#addAll(delta, wantedOf(delta), true);
    const removed = empty ? 0 : delta.complete ? this.#removeOthers(delta) : this.#removeUnwanted(delta);
    // What was removed may have made room.
    const again = first.unplaced.length === 0 ? first : this.#addAll(delta, first.unplaced, this.#reclaim(0));
    if (again.unplaced.length === 0) this.#full = undefined;
    const added = first.added + (again === first ? 0 : again.added);
    return { added, removed, leftOut: again.unplaced.length, grown: this.#memory !== before };
  }

  /** The rows that there is no room for come back. Room is made until that fails, if it may be made. */
  #addAll(delta: MemberDelta, rows: ArrayLike<number>, mayGrow: boolean): { readonly added: number; readonly unplaced: readonly number[] } {
    const unplaced: number[] = [];
    let [added, growing] = [0, mayGrow];
    for (let done = 0; done < rows.length; done++) {
      const row = rows[done] as number;
      let outcome = this.#add(delta, row);
      while (outcome === 'full' && growing) {
        growing = this.#makeRoom(rows.length - done);
        if (growing) outcome = this.#add(delta, row);
      }
      if (outcome === 'added') added++;
      if (outcome === 'full') unplaced.push(row);
    }
    return { added, unplaced };
  }

  #add({ words, lengths }: MemberDelta, row: number): Added {
    const length = lengths[row] as number;
    if (this.#family === 4) return this.#memory.add(words[row] as number, 0, 0, 0, length);
    const at = 4 * row;
    return this.#memory.add(words[at] as number, words[at + 1] as number, words[at + 2] as number, words[at + 3] as number, length);
  }

  #removeUnwanted(delta: MemberDelta): number {
    let removed = 0;
    eachPrefix(delta, (w0, w1, w2, w3, length, row) => {
      if (delta.wanted[row] !== 1 && this.#memory.remove(w0, w1, w2, w3, length)) removed++;
    });
    return removed;
  }

  /** Removes what a complete list does not want. */
  #removeOthers(delta: MemberDelta): number {
    const wanted = new PrefixTable(this.#family, Math.max(16, delta.count));
    eachPrefix(delta, (w0, w1, w2, w3, length, row) => {
      if (delta.wanted[row] === 1) wanted.intern(w0, w1, w2, w3, length);
    });
    if (wanted.size === this.#memory.size) {
      // As many as are wanted, and all of those: nothing else, unless some found no room.
      let missing = false;
      eachPrefix(delta, (w0, w1, w2, w3, length, row) => {
        missing ||= delta.wanted[row] === 1 && !this.#memory.has(w0, w1, w2, w3, length);
      });
      if (!missing) return 0;
    }
    let removed = 0;
    eachPrefix(this.#memory.members(), (w0, w1, w2, w3, length) => {
      if (wanted.find(w0, w1, w2, w3, length) < 0 && this.#memory.remove(w0, w1, w2, w3, length)) removed++;
    });
    return removed;
  }

  /** Room for at least one member, and for so many if they are like those that are there. */
  #makeRoom(members: number): boolean {
    if (this.#reclaim(WORTH_WAITING)) return true;
    if (sizesFor(this.#memory, this.#mostOctets, members).some((size) => this.#move(size))) return true;
    this.#full ??= 'limit';
    return false;
  }

  /** Makes free what was given back, where it is such a share of the slots or of the places for hosts: programs that may still read it have to end first. */
  #reclaim(share: number): boolean {
    const { slots, hosts } = this.#memory;
    if (![slots, hosts].some((one) => one && one.resting >= Math.max(one.all * share, LEAST_RECLAIMED))) return false;
    waitForPrograms();
    this.#memory.reclaim();
    return true;
  }

  #move({ octets, homes }: SetSize): boolean {
    let moved: SetMemory | undefined;
    try {
      moved = this.#memory.moved(octets, homes);
    } catch (error) {
      if (!(error instanceof BpfError) || error.reason !== 'memory') throw error;
      this.#full = 'memory';
    }
    if (!moved) return false;
    try {
      this.#directory.pin(moved.map, this.#name);
    } catch (error) {
      moved.close();
      throw error;
    }
    this.#memory.close();
    this.#memory = moved;
    return true;
  }

  members(): PrefixColumns {
    return this.#memory.members();
  }

  /** Whether the map still is what this process has made of it; it looks at all of it. */
  isSound(): boolean {
    return this.#memory.isSound();
  }

  /** How near it is to its bounds. */
  pressure(): ListPressure {
    const { slots, hosts, octets } = this.#memory;
    const filled = (slots.used + (hosts?.used ?? 0) / 3) / (slots.all + (hosts?.all ?? 0) / 3);
    return { octets, mostOctets: this.#mostOctets, filled, full: this.#full };
  }

  close(): void {
    this.#memory.close();
  }
}

function wantedOf({ count, wanted }: MemberDelta): Uint32Array {
  const rows = new Uint32Array(count);
  let found = 0;
  for (let row = 0; row < count; row++) if (wanted[row] === 1) rows[found++] = row;
  return rows.subarray(0, found);
}

function eachPrefix(
  { family, count, words, lengths }: PrefixColumns,
  visit: (w0: number, w1: number, w2: number, w3: number, length: number, row: number) => void,
): void {
  for (let row = 0; row < count; row++) {
    const at = row * (family === 4 ? 1 : 4);
    if (family === 4) visit(words[at] as number, 0, 0, 0, lengths[row] as number, row);
    else visit(words[at] as number, words[at + 1] as number, words[at + 2] as number, words[at + 3] as number, lengths[row] as number, row);
  }
}
