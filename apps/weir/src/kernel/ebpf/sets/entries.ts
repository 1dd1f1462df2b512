import { SET_LAYOUT } from '../../../model/set-layout.ts';

const { coverMask, slotWords, shortWords, shortCover } = SET_LAYOUT;

/** Everything of an entry but what covers it: what is below it. Below 0 where it has the tag. */
export function below(entry: number): number {
  return entry & ~coverMask;
}

export function coverOf(entry: number): number {
  return entry & coverMask;
}

export function nodeEntry(slot: number): number {
  return slot << SET_LAYOUT.slotShift;
}

export function slotOf(entry: number): number {
  return (entry & ~SET_LAYOUT.tag) >>> SET_LAYOUT.slotShift;
}

/** Every write to what programs read: whole, and after all that was written before it. */
export function publish(words: Int32Array, at: number, entry: number): void {
  Atomics.store(words, at, entry);
}

/** Whether a member has its bit in the entries from `first` on. */
export function hasCover(words: Int32Array, first: number, count: number, bit: number): boolean {
  for (let at = first; at < first + count; at++) if (((words[at] as number) & bit) === 0) return false;
  return true;
}

/** False when it had it already. */
export function addCover(words: Int32Array, first: number, count: number, bit: number): boolean {
  if (hasCover(words, first, count, bit)) return false;
  for (let at = first; at < first + count; at++) publish(words, at, (words[at] as number) | bit);
  return true;
}

/** False when it did not have it. */
export function removeCover(words: Int32Array, first: number, count: number, bit: number): boolean {
  if (!hasCover(words, first, count, bit)) return false;
  for (let at = first; at < first + count; at++) publish(words, at, (words[at] as number) & ~bit);
  return true;
}

/** A member of at most 8 bits, by the first word of its address. False when it was there. */
export function addShort(words: Int32Array, w0: number, length: number): boolean {
  const octet = w0 >>> 24;
  const count = 1 << (8 - length);
  if (!addCover(words, shortWords + octet, count, 1 << length)) return false;
  coverByShort(words, octet, count);
  return true;
}

/** False when it was not there. */
export function removeShort(words: Int32Array, w0: number, length: number): boolean {
  const octet = w0 >>> 24;
  const count = 1 << (8 - length);
  if (!removeCover(words, shortWords + octet, count, 1 << length)) return false;
  coverByShort(words, octet, count);
  return true;
}

/** Brings the first level in line with the members of at most 8 bits. */
export function coverByShort(words: Int32Array, octet: number, octets: number): void {
  for (let i = octet; i < octet + octets; i++) {
    const wanted = words[shortWords + i] === 0 ? 0 : shortCover;
    for (let at = i * 256; at < (i + 1) * 256; at++) {
      const entry = words[at] as number;
      if ((entry & shortCover) !== wanted) publish(words, at, (entry & ~shortCover) | wanted);
    }
  }
}

/** What `soleIn` answers besides a place in the node. */
export const NOTHING = -1;
export const MANY = -2;
/** Of a place `index * 8 + part`: what is below the entry; parts 0 to 3 are the bits of members that cover it. */
export const BELOW = 7;

/** The one thing that a node has: `index * 8 + part`; else NOTHING or MANY. */
export function soleIn(words: Int32Array, node: number): number {
  let sole = NOTHING;
  const first = node * slotWords;
  for (let index = 0; index < 16; index++) {
    const entry = words[first + index] as number;
    if (entry === 0) continue;
    if (below(entry) !== 0) {
      if (sole !== NOTHING) return MANY;
      sole = index * 8 + BELOW;
    }
    for (let part = 0; part < 4; part++) {
      // A member is counted where its entries begin.
      if ((entry & (1 << part)) === 0 || (index & ((1 << (3 - part)) - 1)) !== 0) continue;
      if (sole !== NOTHING) return MANY;
      sole = index * 8 + part;
    }
  }
  return sole;
}
