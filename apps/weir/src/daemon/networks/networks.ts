import { join } from 'node:path';
import { overlaps, type Prefix, printPrefix } from '@weir/wire/inet';
import { ApiError, FORMAT_VERSION, type NetworkChangeAnswer } from '../../api/index.ts';
import { Journal, type JournalReport } from '../../files/index.ts';
import type { Config } from '../../model/config.ts';
import type { NetworkChange, NetworkSource } from '../../model/network.ts';
import { NetworkAnnouncer } from '../../sources/bgp/index.ts';
import { parseOwnCommunity } from '../../sources/config/index.ts';
import { decodeChanges, encodeChanges, equalSource, NetworkTables } from '../../state/index.ts';
import { OperatorNetworks } from './operator-networks.ts';

/** Prefixes at most in a table that has no name of its own. */
const MOST_UNNAMED = 1_000_000;
const LONGEST_TIMER = 0x7fff_ffff;

export interface NetworksOptions {
  readonly stateDirectory: string;
  readonly config: () => Config;
  readonly onError: (error: Error) => void;
}

/** What is distributed: tables of networks that are on disk before they are announced, changed one command after the other. */
export class Networks {
  readonly announcer: NetworkAnnouncer;
  readonly tables: NetworkTables;
  readonly operator: OperatorNetworks = new OperatorNetworks(this);
  readonly #options: NetworksOptions;
  readonly #journal: Journal;
  #turn: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  /** Reads what was there before. Throws the system's error where it cannot be read. */
  constructor(options: NetworksOptions) {
    this.#options = options;
    this.announcer = new NetworkAnnouncer(options.config().distribute);
    this.tables = new NetworkTables({ changed: (prefix, tables) => this.announcer.set(prefix, tables) });
    const { tables } = this;
    this.#journal = new Journal({
      directory: join(options.stateDirectory, 'networks'),
      apply: (payload) => tables.apply(decodeChanges(payload)),
      *snapshot() {
        for (const changes of tables.snapshot()) yield encodeChanges(changes);
      },
      onError: options.onError,
    });
    for (const problem of describeDamage(this.#journal.report)) options.onError(new Error(problem));
    this.#wait();
  }

  /** The configuration is another. */
  configured(): void {
    const { tables } = this;
    const all = function* (): Iterable<{ readonly prefix: Prefix; readonly tables: readonly string[] }> {
      for (const { prefix, memberships } of tables.all()) yield { prefix, tables: [...new Set(memberships.map(({ table }) => table))] };
    };
    this.announcer.configure(this.#options.config().distribute, all());
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#turn;
    await this.#journal.close();
  }

  /** Tables in which a source has a prefix. */
  tablesOf(prefix: Prefix, source: NetworkSource): readonly string[] {
    return this.tables.memberships(prefix).flatMap(({ table, note }) => (equalSource(note.source, source) ? [table] : []));
  }

  /** Makes what is decided on when its turn comes; on disk when it resolves. @throws what `decide` throws: then nothing has changed */
  change(decide: () => readonly NetworkChange[]): Promise<NetworkChangeAnswer> {
    const done = this.#turn.then(async () => {
      const changes = decide().filter(({ prefixes }) => prefixes.length > 0);
      const counts = this.#count(changes);
      if (changes.length > 0) await this.#journal.append(encodeChanges(changes));
      this.#wait();
      return { format_version: FORMAT_VERSION, ...counts };
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }

  #count(changes: readonly NetworkChange[]): { readonly added: number; readonly updated: number; readonly removed: number } {
    const counts = { added: 0, updated: 0, removed: 0 };
    for (const change of changes) {
      const { kind, table, prefixes } = change;
      for (const prefix of prefixes) {
        const there = this.tablesOf(prefix, kind === 'set' ? change.note.source : change.source).includes(table);
        if (kind === 'set') counts[there ? 'updated' : 'added']++;
        else if (there) counts.removed++;
      }
    }
    return counts;
  }

  /** Names of tables, each once. @throws ApiError where one is not there, or may not have these prefixes beside what is in it, less what is `leaving` */
  checkTables(names: readonly string[], prefixes: readonly Prefix[], leaving = 0): readonly string[] {
    const config = this.#options.config();
    const { distribute } = config;
    if (!distribute) throw new ApiError('refused', 'distribute is not configured: it says which tables there are and who gets them');
    for (const name of names) {
      const table = distribute.tables.find((one) => one.name === name);
      if (!table && !parseOwnCommunity(name)) {
        const known = distribute.tables.map((one) => one.name).join(', ');
        throw new ApiError('not-found', `there is no table ${name}: ${known === '' ? 'none is configured' : `there are ${known}`}`);
      }
      const most = table?.maxPrefixes ?? MOST_UNNAMED;
      const added = this.tables.sizeOf(name) - leaving + prefixes.filter((prefix) => !this.#isIn(prefix, name)).length;
      if (added > most) throw new ApiError('refused', `the table ${name} would have ${added} prefixes, at most ${most} (max_prefixes)`);
      if (table?.allowProtected) continue;
      for (const prefix of prefixes) {
        const shield = config.protected.find((one) => overlaps(one, prefix));
        if (shield)
          throw new ApiError(
            'refused',
            `${printPrefix(prefix)} overlaps ${printPrefix(shield)}, which is protected, and ${name} has no allow_protected`,
          );
      }
    }
    return [...new Set(names)];
  }

  #isIn(prefix: Prefix, table: string): boolean {
    return this.tables.memberships(prefix).some((one) => one.table === table);
  }

  /** Takes out what has ended, and waits for the next that ends. */
  #wait(): void {
    clearTimeout(this.#timer);
    const next = this.tables.nextEnd;
    if (next === undefined) return;
    this.#timer = setTimeout(() => this.#expire(), Math.min(LONGEST_TIMER, Math.max(1000, next - Date.now())));
    this.#timer.unref();
  }

  #expire(): void {
    this.change(() => this.tables.ended(Date.now())).catch((error: unknown) => {
      this.#options.onError(new Error(`networks whose time is over stay: ${error instanceof Error ? error.message : String(error)}`));
      this.#wait();
    });
  }
}

function describeDamage({ damage, missing }: JournalReport): readonly string[] {
  const cut = damage.map(({ path, offset, octets, copy }) =>
    copy === undefined
      ? `${path}: the last ${octets} octets are no whole change, and are cut off: a write was interrupted`
      : `${path}: ${octets} octets at ${offset} are damaged and left out; the file as it was is ${copy}`,
  );
  return missing > 0 ? [...cut, `${missing} changes of networks are lost`] : cut;
}
