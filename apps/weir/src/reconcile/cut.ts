import { type Family, PrefixTrie } from '@weir/wire/inet';
import { eachPrefix } from '../compile/nft/prefix-columns.ts';
import type { KernelTarget } from '../compile/nft/targets.ts';
import type { KernelBackend } from '../kernel/backend.ts';
import type { PrefixColumns } from '../model/member-delta.ts';
import type { Slot } from './slot.ts';

/** Members that a commit took out of a set whose connections are to end with them. */
export interface Removal {
  readonly target: KernelTarget;
  readonly removed: PrefixColumns;
}

/** Deletes the tracked connections to what was removed, but for addresses that another element of the same set still covers. */
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
      parts.some(
        ({ closed, slots }) => closed.covering(w0, w1, w2, w3, bits) >= 0 && !slots.some(({ view }) => view.contains(w0, w1, w2, w3)),
      ),
    );
  }
}

function trieOf(columns: PrefixColumns): PrefixTrie {
  const trie = new PrefixTrie(columns.family, Math.max(16, columns.count * 2));
  eachPrefix(columns, (w0, w1, w2, w3, length) => {
    trie.intern(w0, w1, w2, w3, length);
  });
  return trie;
}
