import type { MemberColumns } from '../model/member-delta.ts';
import { FAMILY_INDEXES, type FamilyIndex } from './family-index.ts';
import { familyName } from './peer-state.ts';
import type { Rib } from './rib.ts';
import type { SetState } from './set-state.ts';

/**
 * Members that the kernel has from before the daemon was started: contributions of no known peer. They go when every configured peer that may
 * fill the set has said, in their family, all that it has; in an allow set also `startupHold` after they were loaded.
 */
export class LedgerMembers {
  readonly #rib: Rib;
  /** When they were loaded, by set index. */
  readonly #since = new Map<number, number>();

  constructor(rib: Rib) {
    this.#rib = rib;
  }

  /** Members that the guard refuses are drained as not wanted. */
  add(set: SetState, columns: MemberColumns): void {
    if (!set.guard.hasFamily(columns.family)) return;
    const f: FamilyIndex = columns.family === 4 ? 0 : 1;
    const rib = this.#rib.ribs[f];
    for (let i = 0; i < columns.count; i++) {
      const at = i * rib.stride;
      const length = columns.lengths[i] as number;
      const prefix = rib.intern(columns.words, at, length);
      if (set.guard.refuses(columns.family, columns.words, at, length) === undefined) set.addLedger(f, prefix);
      else set.disown(f, prefix);
    }
    this.#since.set(set.index, this.#rib.now());
  }

  forgetSet(index: number): void {
    this.#since.delete(index);
  }

  /** The guards are others now: what they refuse goes. */
  refilter(): void {
    const words = new Uint32Array(4);
    for (const set of this.#rib.sets) {
      if (!set) continue;
      for (const f of FAMILY_INDEXES) {
        if (set.ledgerCount(f) === 0) continue;
        const { table, family } = this.#rib.ribs[f];
        set.dropLedger(f, (prefix) => {
          for (let i = 0; i < 4; i++) words[i] = table.word(prefix, i);
          return !set.guard.hasFamily(family) || set.guard.refuses(family, words, 0, table.length(prefix)) !== undefined;
        });
      }
    }
  }

  /** Drops what is over. */
  advance(startupHold: number): void {
    for (const [index, since] of this.#since) {
      const set = this.#rib.sets[index];
      if (!set) continue;
      const expired = set.definition.kind === 'allow' && this.#rib.now() >= since + startupHold;
      for (const f of FAMILY_INDEXES) {
        if (set.ledgerCount(f) > 0 && (expired || this.#allLearned(set, f))) set.dropLedger(f, () => true);
      }
      if (set.ledgerCount(0) + set.ledgerCount(1) === 0) this.#since.delete(index);
    }
  }

  /** When `advance` has something to do because of time; infinite when never. */
  deadline(startupHold: number): number {
    let first = Number.POSITIVE_INFINITY;
    for (const [index, since] of this.#since) {
      if (this.#rib.sets[index]?.definition.kind === 'allow') first = Math.min(first, since + startupHold);
    }
    return first;
  }

  #allLearned(set: SetState, f: FamilyIndex): boolean {
    return this.#rib.peers.every(
      (peer) => !peer || peer.learned[f] || !peer.definition.families.includes(familyName(f)) || !set.guard.allowsPeer(peer.index),
    );
  }
}
