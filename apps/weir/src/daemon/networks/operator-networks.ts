import { type Prefix, parsePrefix, printPrefix } from '@weir/wire/inet';
import { ApiError, type Caller, type NetworkChangeAnswer, type Params } from '../../api/index.ts';
import type { Membership, NetworkChange, NetworkNote, NetworkSource } from '../../model/network.ts';
import { PrefixSet } from '../../state/index.ts';
import { inTurns } from './in-turns.ts';
import { type Load, Loads } from './loads.ts';
import type { Networks } from './networks.ts';

const OPERATOR: NetworkSource = { kind: 'operator' };
/** Prefixes between two points where other work may have its turn. */
const STEP = 512;

/** What people and programs do to tables by the control socket. */
export class OperatorNetworks {
  readonly loads: Loads = new Loads();
  readonly #networks: Networks;

  constructor(networks: Networks) {
    this.#networks = networks;
  }

  /** Puts prefixes into tables; on disk when it resolves. @throws ApiError when any of it is refused: then nothing has changed */
  add(params: Params<'network-add'>, by: Caller): Promise<NetworkChangeAnswer> {
    const prefixes = readPrefixes(params.prefixes);
    return this.#change(by, () => {
      const tables = this.#networks.checkTables(this.#networks.named(params.tables), prefixes);
      const note = noteOf(params, by);
      return tables.map((table): NetworkChange => ({ kind: 'set', table, note, prefixes }));
    });
  }

  /** Takes prefixes out of tables, or out of all. */
  delete(params: Params<'network-delete'>, by: Caller): Promise<NetworkChangeAnswer> {
    const prefixes = readPrefixes(params.prefixes);
    return this.#change(by, () => {
      const tables = params.tables && this.#networks.named(params.tables);
      for (const prefix of prefixes) {
        const own = this.#own(prefix);
        const missing = tables ? tables.find((table) => !own.includes(table)) : own.length === 0 ? '' : undefined;
        if (missing !== undefined)
          throw new ApiError('not-found', `${printPrefix(prefix)} is not in ${missing === '' ? 'any table' : `the table ${missing}`}`);
      }
      return this.#unset(prefixes, (table) => tables?.includes(table) ?? true);
    });
  }

  /** Prefixes are in these tables from now on, and in no others. */
  replace(params: Params<'network-add'>, by: Caller): Promise<NetworkChangeAnswer> {
    const prefixes = readPrefixes(params.prefixes);
    return this.#change(by, () => {
      const tables = this.#networks.checkTables(this.#networks.named(params.tables), prefixes);
      const note = noteOf(params, by);
      return [
        ...this.#unset(prefixes, (table) => !tables.includes(table)),
        ...tables.map((table): NetworkChange => ({ kind: 'set', table, note, prefixes })),
      ];
    });
  }

  /** Begins a list. @throws ApiError */
  load(params: Params<'network-load'>): string {
    checkNote(params);
    if (params.table === undefined) return this.loads.begin(params);
    const [table = params.table] = this.#networks.checkTables(this.#networks.named([params.table]), []);
    return this.loads.begin({ ...params, table });
  }

  /** Puts what was loaded into its tables, in place of all that was there where it is to replace it, and takes out what is to go: one change. */
  commit({ load, dry_run: dryRun = false }: Params<'network-load-commit'>, by: Caller): Promise<NetworkChangeAnswer> {
    const list = this.loads.take(load);
    return this.#networks.change(() => inTurns(dryRun ? this.#trying(list, by) : this.#committing(list, by)), { by });
  }

  /** As if it were made, to see whether it would be refused. */
  *#trying(list: Load, by: Caller): Generator<void, readonly NetworkChange[]> {
    yield* this.#committing(list, by);
    return [];
  }

  *#committing({ table, replace, comment, parts }: Load, by: Caller): Generator<void, readonly NetworkChange[]> {
    const changes: NetworkChange[] = [];
    for (const named of new Set([...(table === undefined ? [] : [table]), ...parts.map((part) => part.table)])) {
      const own = parts.filter((part) => part.table === named);
      const come = own.filter(({ remove }) => !remove);
      const wanted = yield* together(come);
      const gone = yield* together(own.filter(({ remove }) => remove));
      if (replace && named === table) yield* this.#others(named, wanted, gone);
      const leaving = yield* this.#leaving(named, gone);
      const [name = named] = yield* this.#networks.checkingTables([named], wanted, leaving);
      changes.push({ kind: 'unset', table: name, source: OPERATOR, prefixes: gone });
      for (const { until, prefixes } of come) changes.push({ kind: 'set', table: name, note: noteOf({ until, comment }, by), prefixes });
    }
    return changes;
  }

  /** Adds what the operator has in a table beside these. */
  *#others(table: string, wanted: PrefixSet, out: PrefixSet): Generator<void> {
    let seen = 0;
    for (const { prefix, memberships } of this.#networks.tables.all()) {
      if (++seen % STEP === 0) yield;
      if (memberships.some((one) => isOperators(one, table)) && !wanted.has(prefix)) out.add(prefix);
    }
  }

  /** How many of these are in a table by the operator alone. */
  *#leaving(table: string, prefixes: PrefixSet): Generator<void, number> {
    let count = 0;
    let seen = 0;
    for (const prefix of prefixes) {
      if (++seen % STEP === 0) yield;
      const there = this.#networks.tables.memberships(prefix).filter((one) => one.table === table);
      if (there.length === 1 && there[0] && isOperators(there[0], table)) count++;
    }
    return count;
  }

  /** What is decided on here has nothing to do with other prefixes. */
  #change(by: Caller, decide: () => readonly NetworkChange[]): Promise<NetworkChangeAnswer> {
    return this.#networks.change(decide, { by, together: true });
  }

  /** What takes prefixes out of the tables that they are in. */
  #unset(prefixes: readonly Prefix[], meant: (table: string) => boolean): readonly NetworkChange[] {
    const out = new Map<string, Prefix[]>();
    for (const prefix of prefixes) {
      for (const table of this.#own(prefix)) {
        if (!meant(table)) continue;
        const own = out.get(table);
        if (own) own.push(prefix);
        else out.set(table, [prefix]);
      }
    }
    return [...out].map(([table, own]): NetworkChange => ({ kind: 'unset', table, source: OPERATOR, prefixes: own }));
  }

  /** Tables in which the operator has a prefix. */
  #own(prefix: Prefix): readonly string[] {
    return this.#networks.tablesOf(prefix, OPERATOR);
  }
}

function isOperators({ table, note }: Membership, name: string): boolean {
  return table === name && note.source.kind === 'operator';
}

/** The prefixes of several lists, each once. */
function* together(parts: Load['parts']): Generator<void, PrefixSet> {
  const [first, ...others] = parts;
  if (first && others.length === 0) return first.prefixes;
  const out = new PrefixSet();
  let seen = 0;
  for (const { prefixes } of parts) {
    for (const prefix of prefixes) {
      if (++seen % STEP === 0) yield;
      out.add(prefix);
    }
  }
  return out;
}

/** @throws ApiError for a time that is over, and for a comment that is not one line of text */
function checkNote({ until, comment }: { readonly until?: number | undefined; readonly comment?: string | undefined }): void {
  if (until !== undefined && until <= Date.now()) throw new ApiError('refused', 'its time is over already');
  if (comment !== undefined && /\p{Cc}/u.test(comment))
    throw new ApiError('bad-request', 'a comment is one line of text, without control characters');
}

function noteOf(
  { until, comment }: { readonly until?: number | undefined; readonly comment?: string | undefined },
  by: Caller,
): NetworkNote {
  const since = Date.now();
  checkNote({ until, comment });
  return { source: OPERATOR, by, since, until, comment };
}

/** Prefixes as text. @throws ApiError for the first that is none */
export function readPrefixes(texts: readonly string[]): readonly Prefix[] {
  const out = new PrefixSet();
  for (const text of texts) {
    const parsed = parsePrefix(text);
    if (!parsed.ok) throw new ApiError('bad-request', parsed.error.message);
    if (parsed.prefix.length === 0) throw new ApiError('refused', `${text} is every address: no table has it`);
    out.add(parsed.prefix);
  }
  return [...out];
}
