import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isOnBpfFileSystem, PIN_DIRECTORY, PinDirectory } from '@weir/ebpf/kernel';
import type { MatchProgram } from '../../model/match-program.ts';
import { type LoadedMatch, loadMatch } from './load-match.ts';

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

  /** `scope` tells the network namespace from others of this machine. */
  constructor(scope: string) {
    this.#scope = scope;
  }

  /** Another pin directory; Weir's own when undefined. */
  pinAt(directory: string = PIN_DIRECTORY): void {
    this.#earlier.add(this.#root);
    this.#root = join(directory, DIRECTORY);
    this.#earlier.delete(this.#root);
  }

  /**
   * The place of a program, which is loaded where it is not there.
   * @throws BpfError, VerifierError
   */
  use(table: string, program: MatchProgram): MatchPlace {
    if (!isOnBpfFileSystem(this.#root)) return this.#useOpen(table, program);
    const path = join(this.#directory(table), program.name);
    if (existsSync(path)) return { kind: 'pinned', path };
    const directory = PinDirectory.open(this.#directory(table));
    const loaded = loadMatch(program);
    try {
      directory.pin(loaded, program.name);
    } finally {
      loaded.close();
    }
    return { kind: 'pinned', path };
  }

  #useOpen(table: string, program: MatchProgram): MatchPlace {
    const programs = this.#open.get(table) ?? new Map<string, LoadedMatch>();
    this.#open.set(table, programs);
    const loaded = programs.get(program.name) ?? loadMatch(program);
    programs.set(program.name, loaded);
    return { kind: 'descriptor', fd: loaded.fd };
  }

  /** Lets go of every program of the table but these. Those of rules that are there stay for as long as the rules do. */
  keep(table: string, names: ReadonlySet<string>): void {
    for (const loaded of this.#open.get(table)?.values() ?? []) loaded.close();
    this.#open.delete(table);
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
