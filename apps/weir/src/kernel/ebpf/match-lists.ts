import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type BpfMap, isOnBpfFileSystem, PinDirectory } from '@weir/ebpf/kernel';
import { LIST_SHAPE } from '../../model/list-shape.ts';
import type { MatchList, MatchProgram } from '../../model/match-program.ts';
import type { MemberDelta, PrefixColumns } from '../../model/member-delta.ts';
import type { KnownMembers } from './engine.ts';
import type { ListNeed } from './kernel-list.ts';
import { asDelta, type ListState, ListStore } from './list-store.ts';
import { PIN } from './pin-layout.ts';

export interface MatchListsOptions {
  /** Below it lists are pinned, where nothing else has them. */
  readonly directory: string;
  /** Tells the table from others that share lists. */
  readonly user: string;
  /** The lists of the hooks of programs: where there are some, a set is there once. */
  readonly shared: () => ListStore | undefined;
}

/** The members that programs of one table's rules look addresses up in: the lists of the hooks of programs where there are such, else lists of their own. BpfError. */
export class MatchLists {
  readonly #options: MatchListsOptions;
  #own: ListStore | undefined;
  /** Lists that have been brought in line with what is known, by store. */
  readonly #synced = new WeakMap<ListStore, Set<string>>();
  #known: KnownMembers = () => undefined;
  /** By the program that needs them. */
  #needs: ReadonlyMap<string, readonly MatchList[]> = new Map();

  constructor(options: MatchListsOptions) {
    this.#options = options;
  }

  /** What programs need from now on, and what is known of members. */
  want(programs: readonly MatchProgram[], known: KnownMembers): void {
    this.#known = known;
    this.#needs = new Map(programs.flatMap((program) => (listsOf(program).length > 0 ? [[program.name, listsOf(program)] as const] : [])));
  }

  /** The map of a list, with the members that are known where it is new. */
  open(list: MatchList): BpfMap {
    const store = this.#store();
    const need = needOf(list);
    const { map, fresh } = store.open(need);
    const synced = this.#synced.get(store) ?? new Set<string>();
    this.#synced.set(store, synced);
    if (synced.has(list.symbol) && !fresh) return map;
    const members = list.members === undefined ? this.#known(list.list, list.family) : constantMembers(list.family, list.members);
    // What an earlier process had there stays until what is wanted is known to be complete.
    if (members) store.apply({ ...asDelta(list.list, members), complete: fresh || list.members !== undefined });
    synced.add(list.symbol);
    // It may have moved.
    return store.open(need).map;
  }

  #store(): ListStore {
    const shared = this.#options.shared();
    if (shared) return shared;
    const { directory } = this.#options;
    this.#own ??= new ListStore(isOnBpfFileSystem(directory) ? PinDirectory.open(directory) : undefined);
    return this.#own;
  }

  /** True when programs have to be bound again. */
  apply(deltas: readonly MemberDelta[]): boolean {
    // Also of rules that are in force still although others are wanted.
    let grown = false;
    for (const store of [this.#options.shared(), this.#own])
      for (const delta of deltas) grown = (store?.apply(delta)?.grown ?? false) || grown;
    return grown;
  }

  /** Lists of its own; the others are told of elsewhere. */
  status(): readonly ListState[] {
    return this.#own?.status() ?? [];
  }

  /** Lets go of all lists but those that these programs need. */
  keep(names: ReadonlySet<string>): void {
    const needed = [...this.#needs].flatMap(([name, lists]) => (names.has(name) ? lists : []));
    const shared = this.#options.shared();
    shared?.keep(needed, this.#options.user);
    if (this.#own && !shared && needed.length > 0) this.#own.keep(needed);
    else this.#leaveOwn();
  }

  #leaveOwn(): void {
    this.#own?.close();
    this.#own = undefined;
    const path = join(this.#options.directory, PIN.lists);
    if (existsSync(path) && isOnBpfFileSystem(path)) PinDirectory.open(path).remove();
  }

  /** Gives the descriptors back; what is pinned stays. Calling it again does nothing. */
  close(): void {
    this.#own?.close();
    this.#own = undefined;
  }
}

export function listsOf(program: MatchProgram): readonly MatchList[] {
  return program.kind === 'code' ? (program.lists ?? []) : [];
}

function needOf({ symbol, list, family }: MatchList): ListNeed {
  return { kind: 'list', symbol, list, family, shape: LIST_SHAPE };
}

/** See MatchList. */
function constantMembers(family: 4 | 6, text: string): PrefixColumns {
  const octets = Buffer.from(text, 'base64');
  const words = family === 4 ? 1 : 4;
  const count = octets.length / (4 * words + 1);
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const all = Uint32Array.from({ length: count * words }, (_, i) => view.getUint32(4 * i, true));
  return { family, count, words: all, lengths: Uint8Array.from(octets.subarray(4 * words * count)) };
}
