import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { printPrefix } from '@weir/wire/inet';
import { prefixAt } from '../compile/nft/prefix-columns.ts';
import { makeDirectory, writeWhole } from '../files/index.ts';
import type { PrefixColumns } from '../model/member-delta.ts';

const DIRECTORY = 'sets';
/** Milliseconds from the first change to the file. */
const DELAY = 5_000;
/** Writing takes at most one part in so many of the time. */
const SHARE = 20;

/**
 * The members of each set as plain text in `sets/NAME.txt`, one prefix a line, for people and for other programs to start from. Written some time after a change, and
 * at the end; each file whole or not at all.
 */
export class SetFiles {
  readonly #directory: string;
  readonly #now: () => number;
  readonly #members: (set: string) => readonly PrefixColumns[];
  readonly #changed = new Set<string>();
  #due: number | undefined;
  #notBefore = 0;

  constructor(stateDirectory: string, now: () => number, members: (set: string) => readonly PrefixColumns[]) {
    this.#directory = join(stateDirectory, DIRECTORY);
    this.#now = now;
    this.#members = members;
  }

  /** The members of a set have changed. */
  touch(set: string): void {
    this.#changed.add(set);
    this.#due ??= Math.max(this.#now() + DELAY, this.#notBefore);
  }

  /** Writes what is due. */
  poll(): void {
    if (this.#due !== undefined && this.#due <= this.#now()) this.flush();
  }

  /** Writes every file that is not up to date. */
  flush(): void {
    const start = this.#now();
    for (const set of this.#changed) this.#write(set);
    this.#changed.clear();
    this.#due = undefined;
    const end = this.#now();
    this.#notBefore = end + SHARE * (end - start);
  }

  #write(set: string): void {
    makeDirectory(this.#directory, 0o700);
    const lines: string[] = [];
    for (const columns of this.#members(set)) for (let i = 0; i < columns.count; i++) lines.push(`${printPrefix(prefixAt(columns, i))}\n`);
    // Not waited for: this thread commits, and every start writes them anew.
    writeWhole(join(this.#directory, `${set}.txt`), lines.join(''), { mode: 0o600, survives: 'process' });
  }

  /** Removes the files of sets that are not named. */
  keep(sets: ReadonlySet<string>): void {
    for (const set of this.#changed) if (!sets.has(set)) this.#changed.delete(set);
    let names: string[];
    try {
      names = readdirSync(this.#directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    for (const name of names) {
      if (name.endsWith('.txt') && !sets.has(name.slice(0, -4))) rmSync(join(this.#directory, name), { force: true });
    }
  }
}
