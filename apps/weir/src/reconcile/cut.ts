import { type Family, PrefixTrie } from '@weir/wire/inet';
import type { KernelTarget } from '../compile/nft/targets.ts';
import type { KernelBackend, PrefixColumns } from '../kernel/backend.ts';
import type { Slot } from './slot.ts';

/** Members that a commit took out of a set whose connections are to end with them. */
export interface Removal {
  readonly target: KernelTarget;
  readonly removed: PrefixColumns;
}

/** Deletes the tracked connections to what was removed, but for addresses that another member of the same set still covers. */
export function cutConnections(
  backend: KernelBackend,
  removals: readonly Removal[],
  slotsOf: (target: KernelTarget) => readonly Slot[],
): void {
  for (const family of [4, 6] as const satisfies readonly Family[]) {
    const own = removals.filter((r) => r.target.family === family);
    if (own.length === 0) continue;
    const parts = own.map(({ target, removed }) => ({ closed: trieOf(removed), slots: slotsOf(target) }));
    const bits = family === 4 ? 32 : 128;
    backend.cutConnections(family, (w0, w1, w2, w3) =>
      parts.some(({ closed, slots }) => closed.covering(w0, w1, w2, w3, bits) >= 0 && !slots.some((s) => s.covers(w0, w1, w2, w3))),
    );
  }
}

function trieOf({ family, count, words, lengths }: PrefixColumns): PrefixTrie {
  const trie = new PrefixTrie(family, Math.max(16, count * 2));
  const k = family === 4 ? 1 : 4;
  const word = (i: number, j: number): number => (j < k ? (words[i * k + j] as number) : 0);
  for (let i = 0; i < count; i++) trie.intern(word(i, 0), word(i, 1), word(i, 2), word(i, 3), lengths[i] as number);
  return trie;
}
