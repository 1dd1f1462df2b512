import type { Family, Prefix } from '@weir/wire/inet';
import type { NamedSet } from '../model/named-set.ts';
import { CoverIndex } from './cover-index.ts';
import { isNeverMember } from './never-members.ts';
import type { RefusalReason } from './refusals.ts';

/** Addresses that no deny set covers: protected prefixes, this host's own addresses and the BGP peers. */
export interface ProtectedIndex {
  readonly 4: CoverIndex;
  readonly 6: CoverIndex;
}

export function protectedIndex(prefixes: readonly Prefix[]): ProtectedIndex {
  return { 4: new CoverIndex(4, prefixes), 6: new CoverIndex(6, prefixes) };
}

/** Why a route may not give to a set, as far as that depends on the route alone; undefined where it may. */
export function refusal(
  guard: PrefixGuard,
  peer: number,
  leak: boolean,
  family: Family,
  words: Uint32Array,
  at: number,
  length: number,
): RefusalReason | undefined {
  if (!guard.allowsPeer(peer)) return 'peer';
  if (leak) return 'leak';
  return guard.refuses(family, words, at, length) ?? (guard.allowsOf(peer, family, words, at, length) ? undefined : 'prefix');
}

/**
 * A set's guard as far as it looks at one prefix from one peer alone: who, where, how long, never, protected. What depends on other members
 * (how many, how fast) is in `SetState`.
 */
export class PrefixGuard {
  readonly #set: NamedSet;
  readonly #deny: boolean;
  readonly #families: { readonly [F in Family]: boolean };
  readonly #covers: { readonly 4: CoverIndex; readonly 6: CoverIndex } | undefined;
  readonly #peers: Uint8Array | undefined;
  /** By the index of a peer. */
  readonly #of = new Map<number, { readonly 4: CoverIndex; readonly 6: CoverIndex }>();
  readonly #protected: ProtectedIndex;

  /** `peerIndex` gives the index of a configured peer by name. */
  constructor(set: NamedSet, peerIndex: (name: string) => number | undefined, shielded: ProtectedIndex) {
    this.#set = set;
    this.#deny = set.kind === 'deny';
    const { target } = set;
    this.#families = target.kind === 'owned' ? { 4: true, 6: true } : { 4: target.ipv4 !== undefined, 6: target.ipv6 !== undefined };
    this.#protected = shielded;
    const prefixes = set.guard.prefixes;
    this.#covers = prefixes && { 4: new CoverIndex(4, prefixes), 6: new CoverIndex(6, prefixes) };
    for (const { peer, prefixes: own } of set.guard.prefixesOf ?? []) {
      const index = peerIndex(peer);
      if (index !== undefined) this.#of.set(index, { 4: new CoverIndex(4, own), 6: new CoverIndex(6, own) });
    }
    if (set.guard.peers) {
      const indexes = set.guard.peers.map(peerIndex).filter((i) => i !== undefined);
      this.#peers = new Uint8Array(Math.max(0, ...indexes) + 1);
      for (const i of indexes) this.#peers[i] = 1;
    }
  }

  /** Whether the set takes members of this family: a target of the user's own may name a set for one only. */
  hasFamily(family: Family): boolean {
    return this.#families[family];
  }

  allowsPeer(peer: number): boolean {
    return this.#peers === undefined || this.#peers[peer] === 1;
  }

  /** Whether the peer may fill the set with the prefix at `words[at ..]`, as far as that is said of this peer. */
  allowsOf(peer: number, family: Family, words: Uint32Array, at: number, length: number): boolean {
    return this.#of.get(peer)?.[family].covers(words, at, length) ?? true;
  }

  /** Why the prefix at `words[at ..]` may not be a member, or undefined where it may. */
  refuses(family: Family, words: Uint32Array, at: number, length: number): RefusalReason | undefined {
    if (isNeverMember(family, words, at, length)) return 'never';
    const { min, max } = this.#set.guard.lengths[family];
    if (length < min || length > max) return 'length';
    if (this.#covers !== undefined && !this.#covers[family].covers(words, at, length)) return 'prefix';
    if (this.#deny && this.#protected[family].overlaps(words, at, length)) return 'protected';
    return undefined;
  }
}
