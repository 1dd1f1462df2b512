import { type Family, type Prefix, PrefixTable } from '@weir/wire/inet';
import type { Membership, NetworkChange, NetworkNote, NetworkSource } from '../../model/network.ts';
import { PrefixSet } from './prefix-set.ts';

/** Prefixes of one step of a snapshot. */
const BATCH = 4096;
/** Prefixes of one step of a change. */
const STEP = 512;
const FAMILIES = [4, 6] as const;
/** Where prefixes of IPv6 begin. */
const SECOND = 2 ** 32;

/** A prefix that is in some table. */
export interface NetworkEntry {
  /** Where it is: a whole number. */
  readonly at: number;
  readonly prefix: Prefix;
  readonly memberships: readonly Membership[];
}

/** In which tables a prefix is and why: one value for all prefixes of which the same is so, sorted by table and source. */
interface Place {
  readonly key: string;
  readonly memberships: readonly Membership[];
  /** Names of the tables, each once. */
  readonly tables: readonly string[];
  /** Of these, those in which somebody else than a client has it. */
  readonly own: readonly string[];
  prefixes: number;
}

/** What a change makes of a place. */
interface Step {
  readonly after: Place | undefined;
  /** Prefixes that the source of the change has in its table, for each that is moved so. */
  readonly by: -1 | 0 | 1;
}

export interface NetworkTablesOptions {
  /** A prefix is in other tables than before, or in none any more; in those of `own` not by clients alone. */
  readonly changed: (prefix: Prefix, tables: readonly string[], own: readonly string[]) => void;
}

/**
 * Prefixes in named tables: who put each there, since and until when. A prefix costs its columns (about 20 octets for IPv4) and, where nobody was put there together with it, an object.
 */
export class NetworkTables {
  readonly #options: NetworkTablesOptions;
  readonly #prefixes: Readonly<Record<Family, PrefixTable>> = { 4: new PrefixTable(4), 6: new PrefixTable(6) };
  /** By the id of a prefix. */
  readonly #placeOf: Readonly<Record<Family, (Place | undefined)[]>> = { 4: [], 6: [] };
  readonly #places = new Map<string, Place>();
  readonly #sizes = new Map<string, number>();
  /** Prefixes by table, then by source. */
  readonly #sources = new Map<string, Map<string, { readonly source: NetworkSource; prefixes: number }>>();
  /** No membership ends before. */
  #soonest: number | undefined;

  constructor(options: NetworkTablesOptions) {
    this.#options = options;
  }

  /** Prefixes that are in any table. */
  get size(): number {
    return this.#prefixes[4].size + this.#prefixes[6].size;
  }

  /** How many prefixes are in a table. */
  sizeOf(table: string): number {
    return this.#sizes.get(table) ?? 0;
  }

  /** Tables that have prefixes. */
  get tables(): readonly string[] {
    return [...this.#sizes.keys()].sort();
  }

  /** Who has prefixes in a table, and how many each. */
  sourcesOf(table: string): Iterable<{ readonly source: NetworkSource; readonly prefixes: number }> {
    return this.#sources.get(table)?.values() ?? [];
  }

  memberships(prefix: Prefix): readonly Membership[] {
    return this.#place(prefix)?.memberships ?? [];
  }

  /** Tables in which somebody else than a client has a prefix. */
  ownTables(prefix: Prefix): readonly string[] {
    return this.#place(prefix)?.own ?? [];
  }

  #place(prefix: Prefix): Place | undefined {
    const id = this.#prefixes[prefix.family].findPrefix(prefix);
    return id < 0 ? undefined : this.#placeOf[prefix.family][id];
  }

  apply(changes: readonly NetworkChange[]): void {
    for (const _ of this.steps(changes));
  }

  /** As `apply`, some prefixes at a time: nothing else may change between two steps. */
  *steps(changes: readonly NetworkChange[]): Generator<void> {
    let seen = 0;
    for (const change of changes) {
      if (change.kind === 'set') this.#ends(change.note);
      // Most prefixes of a change are in the same place before, and so after it.
      const places = new Map<Place | undefined, Step>();
      for (const prefix of change.prefixes) {
        this.#apply(prefix, change, places);
        if (++seen % STEP === 0) yield;
      }
    }
  }

  /**
   * Every prefix with its place and where it is, in the order of these; what changes meanwhile may be seen or not. A prefix stays where it is for as long as it is in any table, so
   * that who goes on from a place on misses nothing.
   */
  *all(from = 0): Generator<NetworkEntry> {
    for (const family of FAMILIES) {
      const table = this.#prefixes[family];
      const base = family === 4 ? 0 : SECOND;
      for (let id = Math.max(0, from - base); id < table.limit; id++) {
        const place = this.#placeOf[family][id];
        if (place) yield { at: base + id, prefix: table.prefix(id), memberships: place.memberships };
      }
    }
  }

  /** All of it as changes to nothing, some prefixes at a time. */
  *snapshot(): Iterable<readonly NetworkChange[]> {
    let step = new Map<readonly Membership[], Prefix[]>();
    let count = 0;
    const changes = (): readonly NetworkChange[] =>
      [...step].flatMap(([memberships, prefixes]) =>
        memberships.map(({ table, note }): NetworkChange => ({ kind: 'set', table, note, prefixes })),
      );
    for (const { prefix, memberships } of this.all()) {
      const group = step.get(memberships);
      if (group) group.push(prefix);
      else step.set(memberships, [prefix]);
      if (++count % BATCH !== 0) continue;
      yield changes();
      step = new Map();
    }
    if (step.size > 0) yield changes();
  }

  /** No membership ends before; undefined when none ends. It may be that none ends then either. */
  get nextEnd(): number | undefined {
    return this.#soonest;
  }

  /** What takes out all whose time is over. Yields where other work may have its turn. */
  *ended(now: number): Generator<void, readonly NetworkChange[]> {
    let over = false;
    this.#soonest = undefined;
    for (const { memberships } of this.#places.values()) {
      for (const { note } of memberships) {
        if (isOver(note, now)) over = true;
        else this.#ends(note);
      }
    }
    if (!over) return [];
    const out = new Map<string, { readonly table: string; readonly source: NetworkSource; readonly prefixes: PrefixSet }>();
    let seen = 0;
    for (const { prefix, memberships } of this.all()) {
      if (++seen % STEP === 0) yield;
      for (const { table, note } of memberships) {
        if (!isOver(note, now)) continue;
        const key = `${table} ${sourceKey(note.source)}`;
        const one = out.get(key) ?? { table, source: note.source, prefixes: new PrefixSet() };
        out.set(key, one);
        one.prefixes.add(prefix);
      }
    }
    return [...out.values()].map((one) => ({ kind: 'unset', ...one }));
  }

  #ends({ until }: NetworkNote): void {
    if (until !== undefined && (this.#soonest === undefined || until < this.#soonest)) this.#soonest = until;
  }

  #apply(prefix: Prefix, change: NetworkChange, places: Map<Place | undefined, Step>): void {
    const { family } = prefix;
    const table = this.#prefixes[family];
    const found = table.findPrefix(prefix);
    const before = found < 0 ? undefined : this.#placeOf[family][found];
    const step = places.get(before) ?? this.#step(before, change);
    places.set(before, step);
    const { after, by } = step;
    if (after === before) return;
    // What was counted out is no longer known by its key.
    if (after && !this.#places.has(after.key)) this.#places.set(after.key, after);
    if (after) {
      const id = found < 0 ? table.internPrefix(prefix) : found;
      this.#placeOf[family][id] = after;
      after.prefixes++;
    } else if (found >= 0) {
      this.#placeOf[family][found] = undefined;
      table.release(found);
    }
    if (before && --before.prefixes === 0) this.#places.delete(before.key);
    if (by !== 0) this.#countSource(change.table, change.kind === 'set' ? change.note.source : change.source, by);
    this.#tell(prefix, before ?? NOWHERE, after ?? NOWHERE);
  }

  #tell(prefix: Prefix, { tables: before, own }: Whereabouts, after: Whereabouts): void {
    if (equalNames(before, after.tables) && equalNames(own, after.own)) return;
    for (const name of before) if (!after.tables.includes(name)) this.#count(name, -1);
    for (const name of after.tables) if (!before.includes(name)) this.#count(name, 1);
    this.#options.changed(prefix, after.tables, after.own);
  }

  #countSource(table: string, source: NetworkSource, by: 1 | -1): void {
    const sources = this.#sources.get(table) ?? new Map<string, { readonly source: NetworkSource; prefixes: number }>();
    this.#sources.set(table, sources);
    const key = sourceKey(source);
    const one = sources.get(key) ?? { source, prefixes: 0 };
    sources.set(key, one);
    one.prefixes += by;
    if (one.prefixes === 0) sources.delete(key);
    if (sources.size === 0) this.#sources.delete(table);
  }

  #count(name: string, by: 1 | -1): void {
    const size = this.sizeOf(name) + by;
    if (size === 0) this.#sizes.delete(name);
    else this.#sizes.set(name, size);
  }

  #step(before: Place | undefined, change: NetworkChange): Step {
    const source = sourceKey(change.kind === 'set' ? change.note.source : change.source);
    const there = before?.memberships ?? [];
    const rest = there.filter(({ table, note }) => table !== change.table || sourceKey(note.source) !== source);
    const was = rest.length < there.length;
    if (change.kind === 'unset') return was ? { after: this.#placeOfAll(rest), by: -1 } : { after: before, by: 0 };
    return { after: this.#placeOfAll([...rest, { table: change.table, note: change.note }].sort(byTableAndSource)), by: was ? 0 : 1 };
  }

  #placeOfAll(memberships: readonly Membership[]): Place | undefined {
    if (memberships.length === 0) return undefined;
    const key = JSON.stringify(memberships);
    const names = (of: readonly Membership[]): readonly string[] => [...new Set(of.map(({ table }) => table))];
    const own = memberships.filter(({ note }) => note.source.kind !== 'client');
    return this.#places.get(key) ?? { key, memberships, tables: names(memberships), own: names(own), prefixes: 0 };
  }
}

type Whereabouts = Pick<Place, 'tables' | 'own'>;

const NOWHERE: Whereabouts = { tables: [], own: [] };

function equalNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}

function isOver({ until }: NetworkNote, now: number): boolean {
  return until !== undefined && until <= now;
}

/** Whether two are the same. */
export function equalSource(a: NetworkSource, b: NetworkSource): boolean {
  return sourceKey(a) === sourceKey(b);
}

function sourceKey(source: NetworkSource): string {
  return source.kind === 'operator' ? source.kind : `${source.kind} ${source.name}`;
}

function byTableAndSource(a: Membership, b: Membership): number {
  const [x, y] = [`${a.table} ${sourceKey(a.note.source)}`, `${b.table} ${sourceKey(b.note.source)}`];
  return x < y ? -1 : x > y ? 1 : 0;
}
