import { bitsOf, type Family, type Ip, type Prefix, PrefixTable, PrefixTrie } from '@weir/wire/inet';
import type { PrefixColumns } from '../../model/member-delta.ts';
import { ForeignElements, type Part } from './foreign-elements.ts';

/** The set should have it. */
const WANTED = 1;
/** It may be an element: wanted, of a kind that the set takes, and nothing of others is in its way. */
const ELIGIBLE = 2;
/** It should be an element: eligible, and in an interval set no eligible prefix covers it. */
const DESIRED = 4;
/** Something that is not known is in its way. */
const COLLIDED = 8;
/** Not named yet by a complete list. */
const UNSEEN = 16;

/**
 * The members of one kernel set, and the elements that they ask for. In a hash set these are the wanted hosts. In an interval set prefixes are nested or disjoint,
 * so they are the wanted prefixes that no other one covers; ranges are never merged. What others have in the set keeps out the members that overlap it.
 *
 * Prefixes have small ids, so that the owner can keep columns of its own; an id is given back by `release`. Each change costs its own prefix and those whose place it changes,
 * and tells `changed` of every id that comes to be desired or ceases to be.
 */
export class MemberSet {
  readonly family: Family;
  readonly interval: boolean;
  readonly #changed: (id: number) => void;
  readonly #index: PrefixTable | PrefixTrie;
  readonly #trie: PrefixTrie | undefined;
  readonly #bits: number;
  #flags: Uint8Array = new Uint8Array(1024);
  /** Wanted and not eligible. */
  readonly #leftOut = new Set<number>();
  #foreign: ForeignElements;
  #wanted = 0;
  #desired = 0;

  constructor(family: Family, interval: boolean, changed: (id: number) => void) {
    this.family = family;
    this.interval = interval;
    this.#changed = changed;
    this.#trie = interval ? new PrefixTrie(family) : undefined;
    this.#index = this.#trie ?? new PrefixTable(family);
    this.#bits = bitsOf(family);
    this.#foreign = new ForeignElements(family);
  }

  get wanted(): number {
    return this.#wanted;
  }

  get covered(): number {
    return this.#wanted - this.#leftOut.size - this.#desired;
  }

  get foreign(): number {
    return this.#foreign.size;
  }

  /** One past the highest id in use. */
  get limit(): number {
    return this.#index.limit;
  }

  /** The first `limit` of the wanted ones that an element of others keeps out, and of those that this kind of set cannot hold. */
  leftOut(limit: number): { readonly conflicts: Prefix[]; readonly unfit: Prefix[] } {
    const conflicts: Prefix[] = [];
    const unfit: Prefix[] = [];
    for (const id of this.#leftOut) {
      const list = this.#fits(id) ? conflicts : unfit;
      if (list.length < limit) list.push(this.#index.prefix(id));
      if (conflicts.length >= limit && unfit.length >= limit) break;
    }
    return { conflicts, unfit };
  }

  find(w0: number, w1: number, w2: number, w3: number, length: number): number {
    return this.#index.find(w0, w1, w2, w3, length);
  }

  /** The id of a prefix, made if need be. */
  intern(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const id = this.#index.intern(w0, w1, w2, w3, length);
    if (this.#index.limit > this.#flags.length) {
      const grown = new Uint8Array(Math.max(this.#flags.length * 2, this.#index.limit));
      grown.set(this.#flags);
      this.#flags = grown;
    }
    return id;
  }

  /** Whether nothing is known of an id here. */
  isIdle(id: number): boolean {
    return this.#flags[id] === 0;
  }

  /** Gives an idle id back. */
  release(id: number): void {
    this.#index.release(id);
  }

  isWanted(id: number): boolean {
    return ((this.#flags[id] as number) & WANTED) !== 0;
  }

  isDesired(id: number): boolean {
    return ((this.#flags[id] as number) & DESIRED) !== 0;
  }

  setWanted(id: number, wanted: boolean): void {
    const flags = (this.#flags[id] as number) & ~UNSEEN;
    this.#flags[id] = flags;
    if (((flags & WANTED) !== 0) === wanted) return;
    this.#flags[id] = wanted ? flags | WANTED : flags & ~(WANTED | COLLIDED);
    this.#wanted += wanted ? 1 : -1;
    this.#evaluate(id);
  }

  /** Begins a complete list: `unseen` gives what `setWanted` has not named since. */
  beginComplete(): void {
    const flags = this.#flags;
    for (let id = 0; id < this.#index.limit; id++) if ((flags[id] as number) & WANTED) flags[id] = (flags[id] as number) | UNSEEN;
  }

  unseen(): number[] {
    return this.#withFlag(UNSEEN);
  }

  allWanted(): number[] {
    return this.#withFlag(WANTED);
  }

  #withFlag(flag: number): number[] {
    const ids: number[] = [];
    for (let id = 0; id < this.#index.limit; id++) if ((this.#flags[id] as number) & flag) ids.push(id);
    return ids;
  }

  columns(ids: readonly number[]): PrefixColumns {
    const k = this.family === 4 ? 1 : 4;
    const index = this.#index;
    const words = new Uint32Array(ids.length * k);
    const lengths = new Uint8Array(ids.length);
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] as number;
      for (let j = 0; j < k; j++) words[i * k + j] = index.word(id, j);
      lengths[i] = index.length(id);
    }
    return { family: this.family, count: ids.length, words, lengths };
  }

  /** Whether an address is in the set when everything is as it should be, be it by an element of others. */
  contains(w0: number, w1: number, w2: number, w3: number): boolean {
    if (this.#foreign.overlaps(w0, w1, w2, w3, this.#bits)) return true;
    for (let id = this.#innermost(w0, w1, w2, w3); id >= 0; id = this.#outer(id)) if ((this.#flags[id] as number) & ELIGIBLE) return true;
    return false;
  }

  /** The entry that begins at an address and passes a test, the longest of several; or -1. */
  startingAt({ w0, w1, w2, w3 }: Ip, test: (id: number) => boolean): number {
    const i = this.#index;
    for (let id = this.#innermost(w0, w1, w2, w3); id >= 0; id = this.#outer(id)) {
      if (i.word(id, 0) !== w0 || i.word(id, 1) !== w1 || i.word(id, 2) !== w2 || i.word(id, 3) !== w3) return -1;
      if (test(id)) return id;
    }
    return -1;
  }

  #innermost(w0: number, w1: number, w2: number, w3: number): number {
    return this.#trie ? this.#trie.covering(w0, w1, w2, w3, this.#bits) : this.#index.find(w0, w1, w2, w3, this.#bits);
  }

  #outer(id: number): number {
    return this.#trie ? this.#trie.parent(id) : -1;
  }

  /**
   * About `limit` of the ids, and the rest. An interval set takes no overlap even for a moment, so ids that cover each other stay together; a hash set is cut anywhere.
   */
  cut(ids: readonly number[], limit: number): [number[], number[]] {
    if (!this.#trie || ids.length <= limit) return [ids.slice(0, limit), ids.slice(limit)];
    const index = this.#index;
    const sorted = [...ids].sort((a, b) => {
      for (let j = 0; j < 4; j++) {
        const difference = index.word(a, j) - index.word(b, j);
        if (difference !== 0) return difference;
      }
      return index.length(a) - index.length(b);
    });
    // A group begins with its widest prefix.
    let head = 0;
    for (let i = 1; i < sorted.length; i++) {
      if (this.#covers(sorted[head] as number, sorted[i] as number)) continue;
      if (i > limit && head > 0) break;
      head = i;
      if (i >= limit) break;
    }
    return head === 0 ? [sorted, []] : [sorted.slice(0, head), sorted.slice(head)];
  }

  #covers(outer: number, inner: number): boolean {
    const index = this.#index;
    const length = index.length(outer);
    if (length > index.length(inner)) return false;
    for (let j = 0; j * 32 < length; j++) {
      const bits = length - j * 32;
      const difference = index.word(outer, j) ^ index.word(inner, j);
      if (bits >= 32 ? difference !== 0 : difference >>> (32 - bits) !== 0) return false;
    }
    return true;
  }

  /** Something unknown is in its way: it is left out until `retryCollided`. */
  collide(id: number): void {
    this.#flags[id] = (this.#flags[id] as number) | COLLIDED;
    this.#evaluate(id);
  }

  retryCollided(): void {
    if (this.#leftOut.size === 0) return;
    for (const id of [...this.#leftOut]) {
      if (((this.#flags[id] as number) & COLLIDED) === 0) continue;
      this.#flags[id] = (this.#flags[id] as number) & ~COLLIDED;
      this.#evaluate(id);
    }
  }

  /** Others added the range `first` to `last`. */
  foreignAdded(first: Ip, last: Ip): void {
    this.#evaluateAround(this.#foreign.add(first, last));
  }

  /** Others removed their range that begins at `first`; false when there was none. */
  foreignRemoved(first: Ip): boolean {
    const parts = this.#foreign.remove(first);
    this.#evaluateAround(parts);
    return parts.length > 0;
  }

  /** What others have in the set is exactly this. What was left out for unknown reasons is tried again. */
  replaceForeign(ranges: readonly { readonly first: Ip; readonly last: Ip }[]): void {
    const nothing = ranges.length === 0 && this.#foreign.size === 0 && this.#leftOut.size === 0;
    this.#foreign = new ForeignElements(this.family);
    for (const { first, last } of ranges) this.#foreign.add(first, last);
    if (nothing) return;
    for (const id of this.#withFlag(WANTED)) {
      this.#flags[id] = (this.#flags[id] as number) & ~COLLIDED;
      this.#evaluate(id);
    }
  }

  #fits(id: number): boolean {
    return this.interval || this.#index.length(id) === this.#bits;
  }

  /** Brings ELIGIBLE and what follows from it up to date for one entry. */
  #evaluate(id: number): void {
    const flags = this.#flags[id] as number;
    const i = this.#index;
    const eligible =
      (flags & (WANTED | COLLIDED)) === WANTED &&
      this.#fits(id) &&
      !this.#foreign.overlaps(i.word(id, 0), i.word(id, 1), i.word(id, 2), i.word(id, 3), i.length(id));
    if (flags & WANTED && !eligible) this.#leftOut.add(id);
    else if (this.#leftOut.size > 0) this.#leftOut.delete(id);
    if (((flags & ELIGIBLE) !== 0) === eligible) return;
    this.#flags[id] = eligible ? flags | ELIGIBLE : flags & ~ELIGIBLE;
    if (!this.#trie) this.#setDesired(id, eligible);
    else if (!eligible && flags & DESIRED) {
      this.#setDesired(id, false);
      this.#eachWidestBelow(this.#trie, id, true);
    } else if (eligible && !this.#hasEligibleCover(this.#trie, id)) {
      this.#setDesired(id, true);
      this.#eachWidestBelow(this.#trie, id, false);
    }
  }

  #hasEligibleCover(trie: PrefixTrie, id: number): boolean {
    for (let up = trie.parent(id); up >= 0; up = trie.parent(up)) if ((this.#flags[up] as number) & ELIGIBLE) return true;
    return false;
  }

  /** The widest eligible entries below `id` come in, or go out. */
  #eachWidestBelow(trie: PrefixTrie, id: number, desired: boolean): void {
    trie.under(trie.word(id, 0), trie.word(id, 1), trie.word(id, 2), trie.word(id, 3), trie.length(id), (other) => {
      if (other === id || ((this.#flags[other] as number) & ELIGIBLE) === 0) return true;
      this.#setDesired(other, desired);
      return false;
    });
  }

  #setDesired(id: number, desired: boolean): void {
    const flags = this.#flags[id] as number;
    if (((flags & DESIRED) !== 0) === desired) return;
    this.#flags[id] = desired ? flags | DESIRED : flags & ~DESIRED;
    this.#desired += desired ? 1 : -1;
    this.#changed(id);
  }

  /** Something of others came or went here: the wanted entries that share an address with it are judged again. */
  #evaluateAround(parts: readonly Part[]): void {
    const ids: number[] = [];
    for (const { w0, w1, w2, w3, length } of parts) {
      if (!this.#trie) {
        const id = this.#index.find(w0, w1, w2, w3, length);
        if (id >= 0) ids.push(id);
        continue;
      }
      this.#trie.under(w0, w1, w2, w3, length, (id) => {
        ids.push(id);
        return true;
      });
      for (let up = this.#trie.covering(w0, w1, w2, w3, length); up >= 0; up = this.#trie.parent(up)) ids.push(up);
    }
    for (const id of ids) if ((this.#flags[id] as number) & WANTED) this.#evaluate(id);
  }
}
