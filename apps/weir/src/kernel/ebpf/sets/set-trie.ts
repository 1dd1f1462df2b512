import type { Family } from '@weir/wire/inet';
import { SET_LAYOUT } from '../../../model/set-layout.ts';
import type { SlotPool } from './slot-pool.ts';

/** `full`: there may be too few slots for it, and nothing has been changed. */
export type Added = 'added' | 'there' | 'full';

/** A member by the words of its address (host bits clear) and its length. */
export type MemberVisitor = (w0: number, w1: number, w2: number, w3: number, length: number) => void;

/**
 * The members of one family, written into memory that programs look addresses up in at the same time (`model/set-layout.ts`). A change is a few stores, each of which leaves
 * everything that is covered before and after it covered.
 */
export interface SetTrie {
  readonly family: Family;
  readonly pool: SlotPool;
  readonly size: number;
  add(w0: number, w1: number, w2: number, w3: number, length: number): Added;
  /** False when it was not a member. */
  remove(w0: number, w1: number, w2: number, w3: number, length: number): boolean;
  /** Whether it is a member. */
  has(w0: number, w1: number, w2: number, w3: number, length: number): boolean;
  /** Whether an address is in a member: what programs find. */
  covers(w0: number, w1: number, w2: number, w3: number): boolean;
}

/** Marks memory of zeros as an empty set. */
export function writeHeader(words: Int32Array, family: Family): void {
  const at = SET_LAYOUT.headerSlot * SET_LAYOUT.slotWords;
  words[at + 1] = SET_LAYOUT.version;
  words[at + 2] = family;
  words[at] = SET_LAYOUT.magic;
}

export function isHeader(words: Int32Array, family: Family): boolean {
  const at = SET_LAYOUT.headerSlot * SET_LAYOUT.slotWords;
  return words[at] === SET_LAYOUT.magic && words[at + 1] === SET_LAYOUT.version && words[at + 2] === family;
}
