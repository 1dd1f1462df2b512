import { join } from 'node:path';
import { overlaps, type Prefix, printPrefix } from '@weir/wire/inet';
import { ApiError, FORMAT_VERSION, type NetworkChangeAnswer } from '../../api/index.ts';
import { Journal, type JournalFiles, type JournalReport, type JournalStatus } from '../../files/index.ts';
import type { Config } from '../../model/config.ts';
import type { NetworkChange, NetworkRecord, NetworkSource, Prefixes } from '../../model/network.ts';
import { NetworkAnnouncer, OwnAnnouncer, PeerTables } from '../../sources/bgp/index.ts';
import { parseOwnCommunity } from '../../sources/config/index.ts';
import {
  decodePayload,
  encodeRecord,
  encodeState,
  equalSource,
  eventOf,
  NetworkHistory,
  NetworkTables,
  PrefixSet,
} from '../../state/index.ts';
import { atOnce, inTurns } from './in-turns.ts';
import { OperatorNetworks } from './operator-networks.ts';
import { tableName } from './table-name.ts';

/** Prefixes at most in a table that has no name of its own. */
const MOST_UNNAMED = 1_000_000;
/** Tables that are a community alone: with those of the configuration they fit into the attributes of a route. */
const MOST_UNNAMED_TABLES = 64;
const LONGEST_TIMER = 0x7fff_ffff;
/** Milliseconds until what has ended is taken out once more, where that failed. */
const RETRY_MS = 10_000;
/** Changes that are written together. */
const MOST_TOGETHER = 512;
/** Prefixes of a change between two points where other work may have its turn. */
const STEP = 512;

export interface NetworksOptions {
  readonly stateDirectory: string;
  readonly config: () => Config;
  /** What configured peers are told, some of whom get tables too. */
  readonly announcer?: OwnAnnouncer;
  readonly onError: (error: Error) => void;
  /** Octets of changes after which they become a snapshot. */
  readonly compactAfter?: number;
  /** The system's own when absent. */
  readonly files?: JournalFiles;
}

export interface ChangeOptions {
  /** Who asks for it, for the history. */
  readonly by?: string;
  /** What it decides depends on nothing but the tables that its own prefixes are in, and on what `checkTables` says: then several are on disk at once. It may be asked more than once. */
  readonly together?: boolean;
}

type Counts = Pick<NetworkChangeAnswer, 'added' | 'updated' | 'removed'>;
type Decide = () => readonly NetworkChange[] | Promise<readonly NetworkChange[]>;

interface Waiting {
  readonly decide: Decide;
  readonly options: ChangeOptions;
  readonly resolve: (answer: NetworkChangeAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/** What is distributed: tables of networks that are on disk before they are announced, changed one command after the other. */
export class Networks {
  readonly announcer: NetworkAnnouncer;
  readonly tables: NetworkTables;
  readonly history: NetworkHistory = new NetworkHistory();
  readonly operator: OperatorNetworks = new OperatorNetworks(this);
  readonly #options: NetworksOptions;
  readonly #peers: PeerTables;
  readonly #journal: Journal;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  /** Prefixes that come into tables with what is being written. */
  readonly #coming = new Map<string, number>();
  /** The number of the last change. */
  #number: number;
  #timer: NodeJS.Timeout | undefined;

  /** Reads what was there before. Throws the system's error where it cannot be read. */
  constructor(options: NetworksOptions) {
    this.#options = options;
    this.announcer = new NetworkAnnouncer(options.config().distribute);
    this.tables = new NetworkTables({
      changed: (prefix, tables) => {
        this.announcer.set(prefix, tables);
        this.#peers.changed(prefix);
      },
    });
    const { tables, history } = this;
    this.#peers = new PeerTables({
      announcer: options.announcer ?? new OwnAnnouncer(),
      config: options.config().distribute,
      tablesOf: (prefix) => tables.ownTables(prefix),
    });
    this.#journal = new Journal({
      directory: join(options.stateDirectory, 'networks'),
      apply: (payload) => this.#read(payload),
      *snapshot() {
        for (const changes of tables.snapshot()) yield encodeState(changes);
        // After the tables: what was made while those were read is not made twice, and so it must be remembered.
        yield* history.snapshot();
      },
      onError: (error) => options.onError(new Error(`tables of networks: no snapshot can be written: ${error.message}`)),
      ...(options.compactAfter === undefined ? {} : { compactAfter: options.compactAfter }),
      ...(options.files ? { files: options.files } : {}),
    });
    this.#number = history.last;
    for (const problem of this.problems) options.onError(new Error(`tables of networks: ${problem}`));
    this.#wait();
  }

  /** What was damaged when the journal was read, and why it cannot be written to. */
  get problems(): readonly string[] {
    const { problem } = this.#journal.status;
    return [...describeDamage(this.#journal.report), ...(problem ? [problem.message] : [])];
  }

  get journal(): JournalStatus {
    return this.#journal.status;
  }

  /** The configuration is another. */
  configured(): void {
    const { tables } = this;
    const all = function* (): Iterable<{ readonly prefix: Prefix; readonly tables: readonly string[] }> {
      for (const { prefix, memberships } of tables.all()) yield { prefix, tables: [...new Set(memberships.map(({ table }) => table))] };
    };
    const { distribute } = this.#options.config();
    this.announcer.configure(distribute, all());
    this.#peers.configure(distribute, () => tables.all());
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#running;
    clearTimeout(this.#timer);
    await this.#journal.close();
  }

  /** Tables in which a source has a prefix. */
  tablesOf(prefix: Prefix, source: NetworkSource): readonly string[] {
    return this.tables.memberships(prefix).flatMap(({ table, note }) => (equalSource(note.source, source) ? [table] : []));
  }

  /** Makes what is decided on when its turn comes; on disk when it resolves. @throws what `decide` throws, and ApiError where it cannot be written: then nothing has changed */
  change(decide: Decide, options: ChangeOptions = {}): Promise<NetworkChangeAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ decide, options, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    for (let one = this.#waiting[0]; one; one = this.#waiting[0]) {
      if (one.options.together) await this.#several();
      else {
        this.#waiting.shift();
        await this.#alone(one);
      }
      this.#wait();
    }
    this.#running = undefined;
  }

  async #alone({ decide, options, resolve, reject }: Waiting): Promise<void> {
    try {
      const changes = (await decide()).filter(({ prefixes }) => prefixes.length > 0);
      resolve(await this.#write(changes, await inTurns(this.#count(changes)), options));
    } catch (error) {
      reject(error);
    }
  }

  /** Those of the next that have nothing to do with each other are written together. */
  async #several(): Promise<void> {
    const touched = new PrefixSet();
    const written: Promise<void>[] = [];
    for (let one = this.#waiting[0]; one?.options.together && written.length < MOST_TOGETHER; one = this.#waiting[0]) {
      const { decide, options, resolve, reject } = one;
      let changes: readonly NetworkChange[];
      try {
        const decided = decide();
        if (decided instanceof Promise) throw new TypeError('what is written together is decided at once');
        changes = decided.filter(({ prefixes }) => prefixes.length > 0);
      } catch (error) {
        // What is about to be written may be why.
        if (written.length > 0) break;
        this.#waiting.shift();
        reject(error);
        continue;
      }
      const long = isLong(changes);
      if (written.length > 0 && (long || changes.some(({ prefixes }) => [...prefixes].some((prefix) => touched.has(prefix))))) break;
      this.#waiting.shift();
      const counts = atOnce(this.#count(changes));
      for (const { kind, table, prefixes } of changes) {
        for (const prefix of prefixes) touched.add(prefix);
        if (kind === 'set') this.#coming.set(table, (this.#coming.get(table) ?? 0) + prefixes.length);
      }
      written.push(this.#write(changes, counts, options).then(resolve, reject));
      // It is encoded in turns, in which those behind it would overtake it.
      if (long) break;
    }
    await Promise.all(written);
    this.#coming.clear();
  }

  async #write(changes: readonly NetworkChange[], counts: Counts, { by = '' }: ChangeOptions): Promise<NetworkChangeAnswer> {
    const answer = { format_version: FORMAT_VERSION, ...counts };
    if (changes.length === 0) return answer;
    const record: NetworkRecord = { number: ++this.#number, at: Date.now(), by, ...counts, changes };
    const long = isLong(changes);
    const payload = long ? await inTurns(encodeRecord(record)) : atOnce(encodeRecord(record));
    try {
      await this.#journal.append(payload, () => {
        this.history.add(eventOf(record));
        if (long) return inTurns(this.tables.steps(changes));
        this.tables.apply(changes);
      });
    } catch (error) {
      throw new ApiError('failed', `nothing is changed: ${error instanceof Error ? error.message : String(error)}`);
    }
    return answer;
  }

  /** A payload of before the start. */
  #read(payload: Uint8Array): void {
    let read: ReturnType<typeof decodePayload>;
    try {
      read = decodePayload(payload);
    } catch (error) {
      // Its checksum holds, so another version wrote it.
      this.#options.onError(
        new Error(`tables of networks: a change cannot be read: ${error instanceof Error ? error.message : String(error)}`),
      );
      return;
    }
    if (read.kind === 'events') for (const event of read.events) this.history.add(event);
    else if (read.kind === 'state') this.tables.apply(read.changes);
    else {
      this.history.add(eventOf(read.record));
      this.tables.apply(read.record.changes);
    }
  }

  *#count(changes: readonly NetworkChange[]): Generator<void, Counts> {
    const counts = { added: 0, updated: 0, removed: 0 };
    let seen = 0;
    for (const change of changes) {
      const { kind, table, prefixes } = change;
      const source = kind === 'set' ? change.note.source : change.source;
      for (const prefix of prefixes) {
        if (++seen % STEP === 0) yield;
        const there = this.tables.memberships(prefix).some((one) => one.table === table && equalSource(one.note.source, source));
        if (kind === 'set') counts[there ? 'updated' : 'added']++;
        else if (there) counts.removed++;
      }
    }
    return counts;
  }

  /** Names of tables, each once. @throws ApiError where one is not there, or may not have these prefixes beside what is in it, less what is `leaving` */
  checkTables(names: readonly string[], prefixes: Prefixes, leaving = 0): readonly string[] {
    return atOnce(this.checkingTables(names, prefixes, leaving));
  }

  /** The tables that are meant by names or communities. */
  named(written: readonly string[]): readonly string[] {
    return written.map((one) => tableName(this.#options.config().distribute, one));
  }

  /** The same as `checkTables`; yields where other work may have its turn. */
  *checkingTables(names: readonly string[], prefixes: Prefixes, leaving = 0): Generator<void, readonly string[]> {
    const config = this.#options.config();
    const { distribute } = config;
    if (!distribute) throw new ApiError('refused', 'distribute is not configured: it says which tables there are and who gets them');
    for (const name of names) {
      const table = distribute.tables.find((one) => one.name === name);
      if (!table && !parseOwnCommunity(name)) {
        const known = distribute.tables.map((one) => one.name).join(', ');
        throw new ApiError('not-found', `there is no table ${name}: ${known === '' ? 'none is configured' : `there are ${known}`}`);
      }
      if (!table && this.tables.sizeOf(name) === 0) {
        const unnamed = this.tables.tables.filter((one) => !distribute.tables.some((other) => other.name === one));
        if (unnamed.length >= MOST_UNNAMED_TABLES)
          throw new ApiError('refused', `there are ${unnamed.length} tables without a name already: give it one in the configuration`);
      }
      const most = table?.maxPrefixes ?? MOST_UNNAMED;
      const shields = table?.allowProtected ? [] : config.protected;
      let size = this.tables.sizeOf(name) + (this.#coming.get(name) ?? 0) - leaving;
      let seen = 0;
      for (const prefix of prefixes) {
        if (++seen % STEP === 0) yield;
        if (!this.#isIn(prefix, name)) size++;
        const shield = shields.find((one) => overlaps(one, prefix));
        if (shield)
          throw new ApiError(
            'refused',
            `${printPrefix(prefix)} overlaps ${printPrefix(shield)}, which is protected, and ${name} has no allow_protected`,
          );
      }
      if (size > most) throw new ApiError('refused', `the table ${name} would have ${size} prefixes, at most ${most} (max_prefixes)`);
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
    this.change(() => inTurns(this.tables.ended(Date.now())), { by: 'their time is over' }).catch((error: unknown) => {
      this.#options.onError(new Error(`networks whose time is over stay: ${error instanceof Error ? error.message : String(error)}`));
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#expire(), RETRY_MS).unref();
    });
  }
}

/** Whether other work is to have its turn meanwhile. */
function isLong(changes: readonly NetworkChange[]): boolean {
  return changes.reduce((sum, { prefixes }) => sum + prefixes.length, 0) > STEP;
}

function describeDamage({ damage, missing }: JournalReport): readonly string[] {
  const told = damage.map(({ path, offset, octets, cutOff, copy }) => {
    if (cutOff) return `${path}: the last ${octets} octets are no whole change, and are left out: a write was interrupted`;
    const what = octets === 0 ? 'ends before its end' : `${octets} octets at ${offset} are damaged and left out`;
    return `${path}: ${what}; ${copy === undefined ? 'it could not be kept as it was' : `the file as it was is ${copy}`}`;
  });
  return missing > 0 ? [...told, `${missing} changes are lost`] : told;
}
