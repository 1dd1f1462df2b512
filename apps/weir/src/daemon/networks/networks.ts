import { join } from 'node:path';
import { overlaps, type Prefix, parsePrefix, printPrefix } from '@weir/wire/inet';
import { ApiError, type Caller, FORMAT_VERSION, type NetworkChangeAnswer, type Params } from '../../api/index.ts';
import { Journal, type JournalReport } from '../../files/index.ts';
import type { Config } from '../../model/config.ts';
import type { NetworkChange, NetworkNote, NetworkSource } from '../../model/network.ts';
import { NetworkAnnouncer } from '../../sources/bgp/index.ts';
import { parseOwnCommunity } from '../../sources/config/index.ts';
import { decodeChanges, encodeChanges, NetworkTables } from '../../state/index.ts';
import { Loads } from './loads.ts';

const OPERATOR: NetworkSource = { kind: 'operator' };
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
  readonly loads: Loads = new Loads();
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

  /** Puts prefixes into tables; on disk when it resolves. @throws ApiError when any of it is refused: then nothing has changed */
  add(params: Params<'network-add'>, by: Caller): Promise<NetworkChangeAnswer> {
    const prefixes = readPrefixes(params.prefixes);
    return this.#alone(() => {
      const tables = this.#readTables(params.tables, prefixes);
      const note = noteOf(params, by);
      return tables.map((table): NetworkChange => ({ kind: 'set', table, note, prefixes }));
    });
  }

  /** Takes prefixes out of tables, or out of all. */
  delete(params: Params<'network-delete'>): Promise<NetworkChangeAnswer> {
    const prefixes = readPrefixes(params.prefixes);
    return this.#alone(() => {
      for (const prefix of prefixes) {
        const own = this.#own(prefix);
        const missing = params.tables ? params.tables.find((table) => !own.includes(table)) : own.length === 0 ? '' : undefined;
        if (missing !== undefined)
          throw new ApiError('not-found', `${printPrefix(prefix)} is not in ${missing === '' ? 'any table' : `the table ${missing}`}`);
      }
      const tables = params.tables ?? [...new Set(prefixes.flatMap((prefix) => this.#own(prefix)))];
      return tables.map((table): NetworkChange => ({ kind: 'unset', table, source: OPERATOR, prefixes }));
    });
  }

  /** Prefixes are in these tables from now on, and in no others. */
  replace(params: Params<'network-add'>, by: Caller): Promise<NetworkChangeAnswer> {
    const prefixes = readPrefixes(params.prefixes);
    return this.#alone(() => {
      const tables = this.#readTables(params.tables, prefixes);
      const note = noteOf(params, by);
      const others = [...new Set(prefixes.flatMap((prefix) => this.#own(prefix)))].filter((table) => !tables.includes(table));
      return [
        ...others.map((table): NetworkChange => ({ kind: 'unset', table, source: OPERATOR, prefixes })),
        ...tables.map((table): NetworkChange => ({ kind: 'set', table, note, prefixes })),
      ];
    });
  }

  /** Puts what was loaded into its table, in place of all that was there where it is to replace it. */
  commit({ load }: Params<'network-load-commit'>, by: Caller): Promise<NetworkChangeAnswer> {
    const { table, replace, until, comment, prefixes } = this.loads.take(load);
    return this.#alone(() => {
      const [name = table] = this.#readTables([table], prefixes, replace);
      const note = noteOf({ until, comment }, by);
      const wanted = new Set(replace ? prefixes.map(printPrefix) : []);
      const gone: Prefix[] = [];
      if (replace)
        for (const { prefix } of this.tables.all())
          if (this.#own(prefix).includes(name) && !wanted.has(printPrefix(prefix))) gone.push(prefix);
      return [
        { kind: 'unset', table: name, source: OPERATOR, prefixes: gone },
        { kind: 'set', table: name, note, prefixes },
      ];
    });
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#turn;
    await this.#journal.close();
  }

  /** Tables in which the operator has a prefix. */
  #own(prefix: Prefix): readonly string[] {
    return this.tables.memberships(prefix).flatMap(({ table, note }) => (note.source.kind === 'operator' ? [table] : []));
  }

  /** What is decided and written is so before the next is looked at. */
  #alone(decide: () => readonly NetworkChange[]): Promise<NetworkChangeAnswer> {
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
    for (const { kind, table, prefixes } of changes) {
      for (const prefix of prefixes) {
        const there = this.#own(prefix).includes(table);
        if (kind === 'set') counts[there ? 'updated' : 'added']++;
        else if (there) counts.removed++;
      }
    }
    return counts;
  }

  #readTables(names: readonly string[], prefixes: readonly Prefix[], replaces = false): readonly string[] {
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
      const added = replaces ? prefixes.length : this.tables.sizeOf(name) + prefixes.filter((prefix) => !this.#isIn(prefix, name)).length;
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
    this.#alone(() => this.tables.ended(Date.now())).catch((error: unknown) => {
      this.#options.onError(new Error(`networks whose time is over stay: ${error instanceof Error ? error.message : String(error)}`));
      this.#wait();
    });
  }
}

function noteOf(
  { until, comment }: { readonly until?: number | undefined; readonly comment?: string | undefined },
  by: Caller,
): NetworkNote {
  const since = Date.now();
  if (until !== undefined && until <= since) throw new ApiError('refused', 'its time is over already');
  return { source: OPERATOR, by, since, until, comment };
}

/** Prefixes as text. @throws ApiError for the first that is none */
export function readPrefixes(texts: readonly string[]): readonly Prefix[] {
  const seen = new Set<string>();
  return texts.flatMap((text) => {
    const parsed = parsePrefix(text);
    if (!parsed.ok) throw new ApiError('bad-request', parsed.error.message);
    if (parsed.prefix.length === 0) throw new ApiError('refused', `${text} is every address: no table has it`);
    const key = printPrefix(parsed.prefix);
    if (seen.has(key)) return [];
    seen.add(key);
    return [parsed.prefix];
  });
}

function describeDamage({ damage, missing }: JournalReport): readonly string[] {
  const cut = damage.map(({ path, offset, octets, copy }) =>
    copy === undefined
      ? `${path}: the last ${octets} octets are no whole change, and are cut off: a write was interrupted`
      : `${path}: ${octets} octets at ${offset} are damaged and left out; the file as it was is ${copy}`,
  );
  return missing > 0 ? [...cut, `${missing} changes of networks are lost`] : cut;
}
