import type { BpfMap, PinDirectory } from '@weir/ebpf/kernel';
import type { MemberColumns, MemberDelta, PrefixColumns } from '../../model/member-delta.ts';
import type { KernelList, ListChange, ListNeed } from './kernel-list.ts';
import { PIN, pinName } from './pin-layout.ts';
import { TrieList } from './sets/index.ts';

/** A list with what is known of it. */
export interface ListState {
  readonly set: string;
  readonly family: 4 | 6;
  readonly members: number;
  /** Members that there was no room for. */
  readonly leftOut: number;
  /** Kernel memory in octets, where the kernel tells. */
  readonly memory: number | undefined;
}

/** Which members. */
export type ListKey = Pick<ListNeed, 'list' | 'family'>;

interface Entry {
  readonly need: ListKey;
  readonly list: KernelList;
  leftOut: number;
}

/** The lists that programs look into: one for a set and family, whatever hooks and generations use it. BpfError. */
export class ListStore {
  readonly #directory: PinDirectory;
  readonly #lists = new Map<string, Entry>();

  constructor(parent: PinDirectory) {
    this.#directory = parent.at(PIN.lists);
  }

  /** The list of a need; `fresh` where nobody had put members into it. */
  open(need: ListNeed): { readonly map: BpfMap; readonly fresh: boolean } {
    const key = listName(need);
    const known = this.#lists.get(key);
    if (known?.list.fits(need)) return { map: known.list.map, fresh: false };
    const before = known?.list.members();
    known?.list.close();
    const fresh = known === undefined && !this.#directory.list().pinned.includes(key);
    const list = TrieList.open(need, this.#directory, key);
    this.#lists.set(key, { need, list, leftOut: 0 });
    if (before) list.apply(asDelta(need.list, before));
    return { map: list.map, fresh };
  }

  /** Takes over what an earlier process pinned for a set and family; false where there is nothing. */
  adopt(set: string, family: 4 | 6): boolean {
    const key = nameOf(set, family);
    if (this.#lists.has(key)) return true;
    const list = TrieList.adopt(family, this.#directory, key);
    if (list) this.#lists.set(key, { need: { list: set, family }, list, leftOut: 0 });
    return list !== undefined;
  }

  has(set: string, family: 4 | 6): boolean {
    return this.#lists.has(nameOf(set, family));
  }

  /** The value of a constant that belongs to a list. */
  constant(symbol: string): bigint | undefined {
    for (const { list } of this.#lists.values()) {
      const value = list.constant(symbol);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** Undefined where no program has such a list. */
  apply(delta: MemberDelta): ListChange | undefined {
    const entry = this.#lists.get(nameOf(delta.set, delta.family));
    if (!entry) return undefined;
    const change = entry.list.apply(delta);
    entry.leftOut = delta.complete ? change.leftOut : entry.leftOut + change.leftOut;
    return change;
  }

  /** What is in the lists. */
  members(): readonly MemberColumns[] {
    return [...this.#lists.values()].map(({ need, list }) => ({ set: need.list, ...list.members() }));
  }

  status(): readonly ListState[] {
    return [...this.#lists.values()].map(({ need, list, leftOut }) => ({
      set: need.list,
      family: need.family,
      members: list.size,
      leftOut,
      memory: list.map.usage().memory,
    }));
  }

  /** Removes every list but these, also what other processes pinned. */
  keep(needs: Iterable<ListKey>): void {
    const kept = new Set([...needs].map(listName));
    for (const [key, { list }] of this.#lists) {
      if (kept.has(key)) continue;
      list.close();
      this.#lists.delete(key);
    }
    for (const name of this.#directory.list().pinned) if (!kept.has(name)) this.#directory.unpin(name);
  }

  close(): void {
    for (const { list } of this.#lists.values()) list.close();
    this.#lists.clear();
  }
}

/** Members as a delta that wants all of them. */
export function asDelta(set: string, columns: PrefixColumns): MemberDelta {
  return { set, ...columns, complete: true, wanted: new Uint8Array(columns.count).fill(1), oldest: Number.POSITIVE_INFINITY };
}

function listName({ list, family }: ListKey): string {
  return nameOf(list, family);
}

function nameOf(set: string, family: 4 | 6): string {
  return `${pinName(set)}-${family}`;
}
