import type { Cut } from './cut.ts';
import type { Lane } from './lanes.ts';

/**
 * A reference, 32 bits. To a leaf: the highest bit, and the offset of a run of records. To a node: shifts that leave of the word `word` the number of the child (left by `up`, then right by `down`), and
 * where the references to the children are, in units of CHILDREN of them.
 */
export const REFERENCE = { leaf: 0x8000_0000, up: 0, down: 6, word: 12, children: 14 } as const;
/** Children begin at a multiple of so many. */
export const CHILDREN = 4;
export const MOST_CHILDREN: number = 2 ** 17 * CHILDREN;
/** The record that no packet is like, which is the first of all. */
export const NOTHING: number = REFERENCE.leaf;

/** Trees cannot be made within the bounds. */
export class TooWide extends Error {
  readonly code = 'trees-too-wide';
}

/** The reference to a node whose children begin at `at`. */
export function nodeReference({ shift, word }: Lane, cut: Cut, at: number): number {
  const up = 64 - shift - cut.shift - cut.bits;
  return (up | ((64 - cut.bits) << REFERENCE.down) | (word << REFERENCE.word) | ((at / CHILDREN) << REFERENCE.children)) >>> 0;
}
