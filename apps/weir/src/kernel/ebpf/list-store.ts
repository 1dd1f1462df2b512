import type { BpfMap, PinDirectory } from '@weir/ebpf/kernel';
import type { MemberColumns, MemberDelta, PrefixColumns } from '../../model/member-delta.ts';
import type { HeldPin } from './held-pin.ts';
import type { KernelList, ListChange, ListNeed } from './kernel-list.ts';
import { ListAudit } from './list-audit.ts';
import { isWeirs } from './own-pins.ts';
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
  /** Nobody has put members into it. */
  fresh: boolean;
  readonly audit: ListAudit;
  /** Its members are in another map than programs were told of. */
  moved: boolean;
}

/** Where maps are pinned. */
type Pins = Pick<PinDirectory, 'map' | 'pin' | 'unpin' | 'list'>;

/** For lists that are gone with whatever holds them. */
const NOWHERE: Pins = {
  map: () => undefined,
  pin: () => undefined,
  unpin: () => false,
  list: () => ({ pinned: [], directories: [] }),
};

const HOOKS = 'hooks';

/** The lists that programs look into: one for a set and family, whatever hooks, generations and rules use it. BpfError. */
export class ListStore {
  readonly #parent: PinDirectory | undefined;
  readonly #directory: Pins;
  readonly #lists = new Map<string, Entry>();
  /** What deltas did: hooks and rules bring the same one, and each is told what it did. */
  readonly #taken = new WeakMap<MemberDelta, ListChange>();
  /** The lists that each of those needs who use the store. */
  readonly #needed = new Map<string, ReadonlySet<string>>();

  /** Without a directory nothing is pinned: lists live on in the programs that look into them. */
  constructor(parent: PinDirectory | undefined) {
    this.#parent = parent;
    this.#directory = parent?.at(PIN.lists) ?? NOWHERE;
  }

  /** The list of a need; `fresh` where nobody had put members into it. */
  open(need: ListNeed): { readonly map: BpfMap; readonly fresh: boolean } {
    const key = listName(need);
    const known = this.#lists.get(key);
    if (known?.list.fits(need)) return { map: known.list.map, fresh: known.fresh };
    const before = known?.list.members();
    known?.list.close();
    const adopted = TrieList.adopt(need.family, this.#directory, key);
    const list = adopted ?? TrieList.open(need, this.#directory, key);
    const fresh = known === undefined && adopted === undefined;
    this.#lists.set(key, { need, list, leftOut: 0, fresh, audit: new ListAudit(), moved: false });
    if (before) list.apply(asDelta(need.list, before));
    return { map: list.map, fresh };
  }

  /** Takes over what an earlier process pinned for a set and family; false where there is nothing. */
  adopt(set: string, family: 4 | 6): boolean {
    const key = nameOf(set, family);
    if (this.#lists.has(key)) return true;
    const list = TrieList.adopt(family, this.#directory, key);
    if (list) this.#lists.set(key, { need: { list: set, family }, list, leftOut: 0, fresh: false, audit: new ListAudit(), moved: false });
    return list !== undefined;
  }

  has(set: string, family: 4 | 6): boolean {
    return this.#lists.has(nameOf(set, family));
  }

  /** Undefined where no program has such a list. */
  apply(delta: MemberDelta): ListChange | undefined {
    const entry = this.#lists.get(nameOf(delta.set, delta.family));
    if (!entry) return undefined;
    const taken = this.#taken.get(delta);
    if (taken) return taken;
    const own = entry.list.apply(delta);
    entry.audit.touch();
    const change = { ...own, grown: own.grown || entry.moved };
    entry.moved = false;
    entry.leftOut = delta.complete ? change.leftOut : entry.leftOut + change.leftOut;
    entry.fresh = false;
    this.#taken.set(delta, change);
    return change;
  }

  /** Looks at a list whose time has come; which one somebody else has written into, if any. */
  audit(now: number): ListKey | undefined {
    const due = [...this.#lists.values()].find(({ audit }) => audit.isDue(now));
    return due && !due.audit.look(due.list, now) ? due.need : undefined;
  }

  /** Puts the members of a list into a new map: these, or those that can still be read. Programs have to be bound to it. */
  renew({ list: set, family }: ListKey, members: PrefixColumns | undefined): void {
    const key = nameOf(set, family);
    const entry = this.#lists.get(key);
    if (!entry) return;
    const wanted = members ?? entry.list.members();
    entry.list.close();
    this.#directory.unpin(key);
    const list = TrieList.open({ family }, this.#directory as PinDirectory, key);
    const { leftOut } = list.apply(asDelta(set, wanted));
    this.#lists.set(key, { need: entry.need, list, leftOut, fresh: false, audit: new ListAudit(), moved: true });
  }

  /** What is pinned of it. */
  pins(): readonly HeldPin[] {
    const directory = this.#parent?.at(PIN.lists);
    if (!directory) return [];
    return [...this.#lists].map(([pin, { list }]) => ({ directory, pin, kind: 'map', object: list.map }));
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

  /** Removes every list but these and those that others who use the store need (`user`), also what other processes pinned. */
  keep(needs: Iterable<ListKey>, user: string = HOOKS): void {
    this.#needed.set(user, new Set([...needs].map(listName)));
    // Before the hooks have said what they need, a list that an earlier process left may be theirs.
    if (!this.#needed.has(HOOKS)) return;
    const kept = new Set([...this.#needed.values()].flatMap((names) => [...names]));
    for (const [key, { list }] of this.#lists) {
      if (kept.has(key)) continue;
      list.close();
      this.#lists.delete(key);
    }
    // What others pin there stays.
    for (const name of this.#directory.list().pinned) if (!kept.has(name) && isWeirs(this.#directory, name)) this.#directory.unpin(name);
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
