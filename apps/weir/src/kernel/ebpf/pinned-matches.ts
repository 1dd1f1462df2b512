import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BpfError, isOnBpfFileSystem, PIN_DIRECTORY, PinDirectory, readPinnedProgram, readProgramInfo } from '@weir/ebpf/kernel';
import { ObjectError } from '@weir/ebpf/object';
import type { MatchProgram } from '../../model/match-program.ts';
import type { MemberDelta } from '../../model/member-delta.ts';
import type { AskedPrograms, ProgramBindings } from '../backend.ts';
import type { KnownMembers } from './engine.ts';
import type { ListState, ListStore } from './list-store.ts';
import { type LoadedMatch, loadMatch } from './load-match.ts';
import { listsOf, MatchLists } from './match-lists.ts';

/** Where a rule of nf_tables finds a program: pinned, or for as long as this process has it open. */
export type MatchPlace = { readonly kind: 'pinned'; readonly path: string } | { readonly kind: 'descriptor'; readonly fd: number };

/** Below the pin directory. */
const DIRECTORY = 'matches';

/**
 * The eBPF programs that the rules of one network namespace ask, for each table: pinned under what they are called, in a directory of the table's. Rules hold the programs
 * that they ask; the pins are there for who looks, and for rules that come. Where no BPF file system is mounted, programs are open instead until the table has its rules.
 */
export class PinnedMatches {
  #root: string = join(PIN_DIRECTORY, DIRECTORY);
  /** Those before it, which are emptied. */
  readonly #earlier = new Set<string>();
  readonly #scope: string;
  /** Without a BPF file system: by table and name. */
  readonly #open = new Map<string, Map<string, LoadedMatch>>();
  readonly #lists = new Map<string, MatchLists>();
  #shared: () => ListStore | undefined = () => undefined;

  /** `scope` tells the network namespace from others of this machine. */
  constructor(scope: string) {
    this.#scope = scope;
  }

  /** Another pin directory; Weir's own when undefined. */
  pinAt(directory: string = PIN_DIRECTORY): void {
    const root = join(directory, DIRECTORY);
    if (root === this.#root) return;
    this.#earlier.add(this.#root);
    this.#root = root;
    this.#earlier.delete(root);
    for (const lists of this.#lists.values()) lists.close();
    this.#lists.clear();
  }

  /**
   * Loads programs that rules will ask, one at a step. What cannot be loaded is left: it is said when a rule asks it. Those that look into lists are left too, since what these are to have
   * is not known yet.
   */
  *load(table: string, programs: readonly MatchProgram[], directory?: string): Generator<undefined, void> {
    if (this.#lists.size === 0) this.pinAt(directory);
    if (this.#root !== join(directory ?? PIN_DIRECTORY, DIRECTORY)) return;
    for (const program of programs) {
      if (listsOf(program).length > 0) continue;
      if (tell(() => this.use(table, program).kind) === '') return;
      yield;
    }
  }

  /** The lists of the hooks of programs, where there are such. */
  shareLists(shared: () => ListStore | undefined): void {
    this.#shared = shared;
  }

  /** See KernelBackend.bindPrograms. */
  bind(table: string, { programs, paths }: AskedPrograms, known: KnownMembers): ProgramBindings {
    const lists = this.#listsOf(table);
    lists.want(programs, known);
    const bound = new Map<string, string>();
    for (const program of programs)
      if (listsOf(program).length > 0)
        bound.set(
          program.name,
          tell(() =>
            listsOf(program)
              .map((list) => lists.open(list).info().id)
              .join(),
          ),
        );
    for (const path of paths)
      bound.set(
        path,
        tell(() => String(readPinnedProgram(path)?.id ?? '')),
      );
    return bound;
  }

  /** Members of lists that programs look into; true when programs have to be bound again. */
  apply(deltas: readonly MemberDelta[]): boolean {
    let grown = false;
    for (const lists of this.#lists.values()) grown = lists.apply(deltas) || grown;
    return grown;
  }

  lists(): readonly ListState[] {
    return [...this.#lists.values()].flatMap((lists) => lists.status());
  }

  #listsOf(table: string): MatchLists {
    const known = this.#lists.get(table);
    if (known) return known;
    const made = new MatchLists({ directory: this.#directory(table), user: this.#name(table), shared: () => this.#shared() });
    this.#lists.set(table, made);
    return made;
  }

  /**
   * The place of a program, which is loaded where it is not there.
   * @throws BpfError, VerifierError
   */
  use(table: string, program: MatchProgram): MatchPlace {
    if (!isOnBpfFileSystem(this.#root)) return this.#useOpen(table, program);
    const path = join(this.#directory(table), program.name);
    if (existsSync(path) && this.#isBound(table, program, readPinnedProgram(path)?.mapIds)) return { kind: 'pinned', path };
    const directory = PinDirectory.open(this.#directory(table));
    const loaded = this.#load(table, program);
    try {
      directory.pin(loaded, program.name);
    } finally {
      loaded.close();
    }
    return { kind: 'pinned', path };
  }

  #load(table: string, program: MatchProgram): LoadedMatch {
    return loadMatch(program, (list) => this.#listsOf(table).open(list));
  }

  /** Whether a program that is there looks into the maps that its lists are in now. */
  #isBound(table: string, program: MatchProgram, mapIds: readonly number[] | undefined): boolean {
    return listsOf(program).every((list) => mapIds?.includes(this.#listsOf(table).open(list).info().id) ?? false);
  }

  #useOpen(table: string, program: MatchProgram): MatchPlace {
    const programs = this.#open.get(table) ?? new Map<string, LoadedMatch>();
    this.#open.set(table, programs);
    const known = programs.get(program.name);
    if (known && this.#isBound(table, program, readProgramInfo(known.fd).mapIds)) return { kind: 'descriptor', fd: known.fd };
    programs.delete(program.name);
    known?.close();
    const loaded = this.#load(table, program);
    programs.set(program.name, loaded);
    return { kind: 'descriptor', fd: loaded.fd };
  }

  /** Lets go of every program of the table but these. Those of rules that are there stay for as long as the rules do. */
  keep(table: string, names: ReadonlySet<string>): void {
    for (const loaded of this.#open.get(table)?.values() ?? []) loaded.close();
    this.#open.delete(table);
    this.#listsOf(table).keep(names);
    if (names.size === 0) this.#lists.delete(table);
    keepPinned(this.#root, this.#name(table), names);
    for (const root of this.#earlier) keepPinned(root, this.#name(table), new Set());
  }

  #directory(table: string): string {
    return join(this.#root, this.#name(table));
  }

  #name(table: string): string {
    const plain = /^[A-Za-z0-9_]{1,60}$/.test(table) ? table : createHash('sha256').update(table).digest('hex').slice(0, 24);
    return `${this.#scope}-${plain}`;
  }

  /** Closes what is open. Calling it again does nothing. */
  close(): void {
    for (const programs of this.#open.values()) for (const loaded of programs.values()) loaded.close();
    this.#open.clear();
    for (const lists of this.#lists.values()) lists.close();
    this.#lists.clear();
  }
}

/** What cannot be told now is told when a rule needs it. */
function tell(binding: () => string): string {
  try {
    return binding();
  } catch (error) {
    if (error instanceof BpfError || error instanceof ObjectError) return '';
    throw error;
  }
}

/** Unpins all but these; a directory in which nothing is left goes. */
function keepPinned(rootPath: string, name: string, names: ReadonlySet<string>): void {
  const path = join(rootPath, name);
  if (!existsSync(path) || !isOnBpfFileSystem(path)) return;
  const directory = PinDirectory.open(path);
  // `list` leaves out what an earlier process left half done: `pin` and `remove` deal with that.
  for (const pinned of directory.list().pinned) if (!names.has(pinned)) directory.unpin(pinned);
  if (names.size > 0) return;
  directory.remove();
  const root = PinDirectory.open(rootPath);
  if (root.list().directories.length === 0) root.remove();
}
