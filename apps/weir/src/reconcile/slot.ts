import { bitsOf, type Family, mask32, type Prefix, PrefixTable, PrefixTrie, prefixFromWords, rangePrefixes } from '@weir/wire/inet';
import type { PrefixColumns, RangeColumns, SetAddress, SetInfo } from '../kernel/backend.ts';
import type { Ledger } from './ledger.ts';

const WANTED = 1;
const INSTALLED = 2;
/** In the list of entries to look at. */
const DIRTY = 4;
/** Left out: an element of others is in the way. */
const CONFLICT = 8;
/** Not mentioned yet by a complete list. */
const UNSEEN = 16;

/** What one commit is to change in one kernel set. `adds[i]` and `removes[i]` are the entries behind the columns. */
export interface SlotChange {
  readonly adds: readonly number[];
  readonly removes: readonly number[];
  readonly added: PrefixColumns;
  readonly removed: PrefixColumns;
}

/**
 * One kernel set: what it should have and what it has, an entry for each prefix of either. In an interval set prefixes are nested or disjoint, so its elements are the wanted
 * prefixes that no other wanted one covers; in a hash set they are the wanted hosts.
 */
export class Slot {
  readonly address: SetAddress;
  readonly family: Family;
  readonly ledger: Ledger;
  /** The kernel set, while it is there and fit. */
  info: SetInfo | undefined;
  #index: PrefixTable | PrefixTrie;
  #interval: boolean;
  #flags = new Uint8Array(1024);
  #dirty: number[] = [];
  /** Elements of others, as prefixes. */
  #foreign: PrefixTrie;
  readonly #leftOut = new Set<number>();
  #wanted = 0;
  #installed = 0;

  constructor(address: SetAddress, family: Family, ledger: Ledger, interval: boolean) {
    this.address = address;
    this.family = family;
    this.ledger = ledger;
    this.#interval = interval;
    this.#index = interval ? new PrefixTrie(family) : new PrefixTable(family);
    this.#foreign = new PrefixTrie(family);
  }

  get interval(): boolean {
    return this.#interval;
  }

  get wanted(): number {
    return this.#wanted;
  }

  get installed(): number {
    return this.#installed;
  }

  get foreign(): number {
    return this.#foreign.size;
  }

  get pending(): boolean {
    return this.#dirty.length > 0;
  }

  /** Wanted ones that a foreign element keeps out, and those that this kind of set cannot hold; the first `limit` of each. */
  leftOut(limit: number): { readonly conflicts: Prefix[]; readonly unfit: Prefix[] } {
    const conflicts: Prefix[] = [];
    const unfit: Prefix[] = [];
    for (const id of this.#leftOut) {
      const list = this.#fits(id) ? conflicts : unfit;
      if (list.length < limit) list.push(this.#index.prefix(id));
    }
    return { conflicts, unfit };
  }

  /** How many wanted entries are under another one or left out. */
  get covered(): number {
    return Math.max(0, this.#wanted - this.#installed - this.#leftOut.size);
  }

  /** Another kind of set stands in its place: entries move over, and nothing is installed. */
  become(interval: boolean): void {
    if (interval === this.#interval) return;
    const old = this.#index;
    const flags = this.#flags;
    const dead =
      old instanceof PrefixTable
        ? (id: number): boolean => old.find(old.word(id, 0), old.word(id, 1), old.word(id, 2), old.word(id, 3), old.length(id)) !== id
        : (id: number): boolean => flags[id] === 0;
    this.#index = interval ? new PrefixTrie(this.family) : new PrefixTable(this.family);
    this.#interval = interval;
    this.#flags = new Uint8Array(1024);
    this.#dirty = [];
    this.#leftOut.clear();
    this.#wanted = 0;
    this.#installed = 0;
    for (let id = 0; id < old.limit; id++) {
      if (((flags[id] as number) & WANTED) === 0 || dead(id)) continue;
      this.want(old.word(id, 0), old.word(id, 1), old.word(id, 2), old.word(id, 3), old.length(id), true);
    }
  }

  #entry(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const id = this.#index.intern(w0, w1, w2, w3, length);
    if (id >= this.#flags.length || this.#index.limit > this.#flags.length) {
      const grown = new Uint8Array(Math.max(this.#flags.length * 2, this.#index.limit));
      grown.set(this.#flags);
      this.#flags = grown;
    }
    return id;
  }

  #fits(id: number): boolean {
    return this.#interval || this.#index.length(id) === bitsOf(this.family);
  }

  #touch(id: number): void {
    const flags = this.#flags[id] as number;
    if (flags & DIRTY) return;
    this.#flags[id] = flags | DIRTY;
    this.#dirty.push(id);
  }

  /** The set should have this prefix, or should not. */
  want(w0: number, w1: number, w2: number, w3: number, length: number, wanted: boolean): void {
    if (!wanted && this.#index.find(w0, w1, w2, w3, length) < 0) return;
    const id = this.#entry(w0, w1, w2, w3, length);
    const before = (this.#flags[id] as number) & ~UNSEEN;
    this.#flags[id] = wanted ? before | WANTED : before & ~WANTED;
    if (((before & WANTED) !== 0) !== wanted) this.#wanted += wanted ? 1 : -1;
    else if (wanted && before & INSTALLED) return;
    this.#touchFamily(id);
  }

  /** An entry and those whose place depends on it. */
  #touchFamily(id: number): void {
    this.#touch(id);
    const index = this.#index;
    if (!(index instanceof PrefixTrie)) return;
    index.under(index.word(id, 0), index.word(id, 1), index.word(id, 2), index.word(id, 3), index.length(id), (other) => {
      this.#touch(other);
      return other === id || !this.#holds(other);
    });
  }

  /** Begins a complete list: what `want` does not name before `endComplete` is not wanted. */
  beginComplete(): void {
    this.#each((id) => {
      this.#flags[id] = (this.#flags[id] as number) | UNSEEN;
    });
  }

  endComplete(): void {
    const gone: number[] = [];
    this.#each((id) => {
      if ((this.#flags[id] as number) & UNSEEN) gone.push(id);
    });
    for (const id of gone) {
      const flags = this.#flags[id] as number;
      if (flags & WANTED) this.#wanted--;
      this.#flags[id] = flags & ~(UNSEEN | WANTED);
      this.#touchFamily(id);
    }
  }

  #each(visit: (id: number) => void): void {
    for (let id = 0; id < this.#index.limit; id++) if ((this.#flags[id] as number) & (WANTED | INSTALLED)) visit(id);
  }

  /** Wanted, of a kind that the set takes, and no foreign element in the way. */
  #holds(id: number): boolean {
    const flags = this.#flags[id] as number;
    return (flags & WANTED) !== 0 && (flags & CONFLICT) === 0 && this.#fits(id) && !this.#collides(id);
  }

  #collides(id: number): boolean {
    if (this.#foreign.size === 0) return false;
    const i = this.#index;
    return this.#foreign.overlaps(i.word(id, 0), i.word(id, 1), i.word(id, 2), i.word(id, 3), i.length(id));
  }

  #shouldBeIn(id: number): boolean {
    if (!this.#holds(id)) return false;
    const index = this.#index;
    if (!(index instanceof PrefixTrie)) return true;
    for (let up = index.parent(id); up >= 0; up = index.parent(up)) if (this.#holds(up)) return false;
    return true;
  }

  /** What the next commit has to change; undefined when nothing. Entries stay dirty until `done`. */
  change(): SlotChange | undefined {
    const adds: number[] = [];
    const removes: number[] = [];
    for (const id of this.#dirty) {
      const flags = this.#flags[id] as number;
      if (flags & WANTED && !(flags & INSTALLED) && (!this.#fits(id) || flags & CONFLICT || this.#collides(id))) this.#leftOut.add(id);
      else this.#leftOut.delete(id);
      const should = this.#shouldBeIn(id);
      if (should && !(flags & INSTALLED)) adds.push(id);
      else if (!should && flags & INSTALLED) removes.push(id);
    }
    if (adds.length === 0 && removes.length === 0) {
      this.#settle();
      return undefined;
    }
    return { adds, removes, added: this.#columns(adds), removed: this.#columns(removes) };
  }

  #columns(ids: readonly number[]): PrefixColumns {
    const k = this.family === 4 ? 1 : 4;
    const words = new Uint32Array(ids.length * k);
    const lengths = new Uint8Array(ids.length);
    ids.forEach((id, i) => {
      for (let j = 0; j < k; j++) words[i * k + j] = this.#index.word(id, j);
      lengths[i] = this.#index.length(id);
    });
    return { family: this.family, count: ids.length, words, lengths };
  }

  /** Writes into the ledger that these additions may be ours from now on; returns those that it did not have. */
  announce(change: SlotChange): readonly number[] {
    const i = this.#index;
    const fresh = change.adds.filter((id) => !this.ledger.has(i.word(id, 0), i.word(id, 1), i.word(id, 2), i.word(id, 3), i.length(id)));
    for (const id of fresh) this.#ledger('add', id);
    this.ledger.flush();
    return fresh;
  }

  #ledger(operation: 'add' | 'remove', id: number): void {
    const i = this.#index;
    this.ledger[operation](i.word(id, 0), i.word(id, 1), i.word(id, 2), i.word(id, 3), i.length(id));
  }

  /** The commit took effect. */
  done(change: SlotChange): void {
    for (const id of change.adds) this.#flags[id] = (this.#flags[id] as number) | INSTALLED;
    for (const id of change.removes) {
      this.#flags[id] = (this.#flags[id] as number) & ~INSTALLED;
      this.#ledger('remove', id);
    }
    this.#installed += change.adds.length - change.removes.length;
    this.ledger.flush();
    this.#settle();
  }

  /** The commit did not take effect: what `announce` wrote for it is not ours. */
  undone(fresh: readonly number[]): void {
    for (const id of fresh) this.#ledger('remove', id);
    this.ledger.flush();
  }

  #settle(): void {
    for (const id of this.#dirty) {
      const flags = (this.#flags[id] as number) & ~DIRTY;
      this.#flags[id] = flags;
      if ((flags & (WANTED | INSTALLED)) === 0) {
        const i = this.#index;
        if (this.ledger.has(i.word(id, 0), i.word(id, 1), i.word(id, 2), i.word(id, 3), i.length(id))) this.#ledger('remove', id);
        this.#flags[id] = 0;
        this.#leftOut.delete(id);
        this.#index.release(id);
      }
    }
    this.#dirty = [];
  }

  /** Adding entry `id` was refused because something is there. Unless it turned out to be ours, it is left out until that may have changed. */
  blame(id: number): void {
    if ((this.#flags[id] as number) & INSTALLED || this.#collides(id)) return;
    this.#flags[id] = (this.#flags[id] as number) | CONFLICT;
    this.#touchFamily(id);
  }

  /** Tries again what was left out. */
  retryLeftOut(): void {
    for (const id of [...this.#leftOut]) {
      if (!this.#fits(id)) continue;
      this.#flags[id] = (this.#flags[id] as number) & ~CONFLICT;
      this.#touchFamily(id);
    }
  }

  /** Elements of a change that turn out not to be in the kernel any more. */
  vanished(ids: readonly number[]): void {
    for (const id of ids) {
      const flags = this.#flags[id] as number;
      if (!(flags & INSTALLED)) continue;
      this.#flags[id] = flags & ~INSTALLED;
      this.#installed--;
      this.#touchFamily(id);
    }
  }

  /**
   * Takes over what the kernel has: an element that is exactly a member of the ledger is ours, every other is somebody else's. Returns how many of ours
   * were thought installed and are not.
   */
  takeKernel(ranges: RangeColumns): number {
    const seen = new Set<number>();
    const k = this.family === 4 ? 1 : 4;
    this.#foreign = new PrefixTrie(this.family);
    const { firsts, lasts } = ranges;
    const word = (words: Uint32Array, i: number, j: number): number => (j < k ? (words[i * k + j] as number) : 0);
    for (let i = 0; i < ranges.count; i++) {
      const length = prefixLength(firsts, lasts, i, k);
      if (length >= 0) {
        const w = [word(firsts, i, 0), word(firsts, i, 1), word(firsts, i, 2), word(firsts, i, 3)] as const;
        if (this.ledger.has(...w, length)) {
          const id = this.#entry(...w, length);
          seen.add(id);
          continue;
        }
        this.#foreign.intern(...w, length);
        continue;
      }
      const ip = (words: Uint32Array) => ({
        family: this.family,
        w0: word(words, i, 0),
        w1: word(words, i, 1),
        w2: word(words, i, 2),
        w3: word(words, i, 3),
      });
      for (const p of rangePrefixes(ip(firsts), ip(lasts))) this.#foreign.intern(p.w0, p.w1, p.w2, p.w3, p.length);
    }
    const missing: number[] = [];
    this.#each((id) => {
      if ((this.#flags[id] as number) & INSTALLED && !seen.has(id)) missing.push(id);
    });
    this.vanished(missing);
    for (const id of seen) {
      const flags = this.#flags[id] as number;
      if (flags & INSTALLED) continue;
      this.#flags[id] = flags | INSTALLED;
      this.#installed++;
      if (flags & WANTED) this.#touchFamily(id);
    }
    this.retryLeftOut();
    return missing.length;
  }

  /** The kernel set is gone: nothing is installed, and nobody else's element is there. */
  lost(): void {
    this.info = undefined;
    this.#foreign = new PrefixTrie(this.family);
    const all: number[] = [];
    this.#each((id) => {
      if ((this.#flags[id] as number) & INSTALLED) all.push(id);
    });
    this.vanished(all);
    this.retryLeftOut();
  }

  /** Members that are installed, as columns. */
  installedColumns(): PrefixColumns {
    const ids: number[] = [];
    this.#each((id) => {
      if ((this.#flags[id] as number) & INSTALLED) ids.push(id);
    });
    return this.#columns(ids);
  }

  /** Gives up every member: the next commit removes what is installed. */
  release(): void {
    this.beginComplete();
    this.endComplete();
  }

  /** Whether a wanted member covers an address. */
  covers(w0: number, w1: number, w2: number, w3: number): boolean {
    const bits = bitsOf(this.family);
    if (!(this.#index instanceof PrefixTrie)) {
      const id = this.#index.find(w0, w1, w2, w3, bits);
      return id >= 0 && ((this.#flags[id] as number) & WANTED) !== 0;
    }
    for (let id = this.#index.covering(w0, w1, w2, w3, bits); id >= 0; id = this.#index.parent(id)) {
      if ((this.#flags[id] as number) & WANTED) return true;
    }
    return false;
  }
}

/** Length of the prefix that a range is, or -1. */
function prefixLength(firsts: Uint32Array, lasts: Uint32Array, i: number, k: number): number {
  let length = 0;
  let inside = true;
  for (let j = 0; j < k; j++) {
    const first = firsts[i * k + j] as number;
    const last = lasts[i * k + j] as number;
    if (!inside) {
      if (first !== 0 || last !== 0xffffffff) return -1;
      continue;
    }
    const same = Math.clz32(first ^ last);
    length += same;
    if (same === 32) continue;
    inside = false;
    const host = ~mask32(same) >>> 0;
    if ((first & host) !== 0 || (last & host) >>> 0 !== host) return -1;
  }
  return length;
}

/** One prefix of some columns. */
export function prefixAt(columns: PrefixColumns, i: number): Prefix {
  const k = columns.family === 4 ? 1 : 4;
  const w = (j: number): number => (j < k ? (columns.words[i * k + j] as number) : 0);
  return prefixFromWords(columns.family, w(0), w(1), w(2), w(3), columns.lengths[i] as number);
}
