import { type Prefix, parsePrefix, printPrefix } from '@weir/wire/inet';
import { ApiError, type Caller, type NetworkChangeAnswer, type Params } from '../../api/index.ts';
import type { NetworkChange, NetworkNote, NetworkSource } from '../../model/network.ts';
import { Loads } from './loads.ts';
import type { Networks } from './networks.ts';

const OPERATOR: NetworkSource = { kind: 'operator' };

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
    return this.#networks.change(() => {
      const tables = this.#networks.checkTables(params.tables, prefixes);
      const note = noteOf(params, by);
      return tables.map((table): NetworkChange => ({ kind: 'set', table, note, prefixes }));
    });
  }

  /** Takes prefixes out of tables, or out of all. */
  delete(params: Params<'network-delete'>): Promise<NetworkChangeAnswer> {
    const prefixes = readPrefixes(params.prefixes);
    return this.#networks.change(() => {
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
    return this.#networks.change(() => {
      const tables = this.#networks.checkTables(params.tables, prefixes);
      const note = noteOf(params, by);
      const others = [...new Set(prefixes.flatMap((prefix) => this.#own(prefix)))].filter((table) => !tables.includes(table));
      return [
        ...others.map((table): NetworkChange => ({ kind: 'unset', table, source: OPERATOR, prefixes })),
        ...tables.map((table): NetworkChange => ({ kind: 'set', table, note, prefixes })),
      ];
    });
  }

  /** Puts what was loaded into its tables, in place of all that was there where it is to replace it, and takes out what is to go: one change. */
  commit({ load }: Params<'network-load-commit'>, by: Caller): Promise<NetworkChangeAnswer> {
    const { table, replace, comment, parts } = this.loads.take(load);
    const names = [...new Set([...(table === undefined ? [] : [table]), ...parts.map((part) => part.table)])];
    return this.#networks.change(() =>
      names.flatMap((named) => {
        const own = parts.filter((part) => part.table === named);
        const come = own.filter(({ remove }) => !remove);
        const wanted = come.flatMap(({ prefixes }) => prefixes);
        const gone = own.flatMap(({ remove, prefixes }) => (remove ? prefixes : []));
        if (replace && named === table) for (const prefix of this.#others(named, wanted)) gone.push(prefix);
        const [name = named] = this.#networks.checkTables([named], wanted, this.#leaving(named, gone));
        return [
          { kind: 'unset', table: name, source: OPERATOR, prefixes: gone } as const,
          ...come.map(
            ({ until, prefixes }): NetworkChange => ({ kind: 'set', table: name, note: noteOf({ until, comment }, by), prefixes }),
          ),
        ];
      }),
    );
  }

  /** What the operator has in a table beside these. */
  #others(table: string, prefixes: readonly Prefix[]): readonly Prefix[] {
    const wanted = new Set(prefixes.map(printPrefix));
    const out: Prefix[] = [];
    for (const { prefix } of this.#networks.tables.all())
      if (this.#own(prefix).includes(table) && !wanted.has(printPrefix(prefix))) out.push(prefix);
    return out;
  }

  /** How many of these are in a table by the operator alone. */
  #leaving(table: string, prefixes: readonly Prefix[]): number {
    const { tables } = this.#networks;
    return prefixes.filter((prefix) => {
      const there = tables.memberships(prefix).filter((one) => one.table === table);
      return there.length === 1 && there[0]?.note.source.kind === 'operator';
    }).length;
  }

  /** Tables in which the operator has a prefix. */
  #own(prefix: Prefix): readonly string[] {
    return this.#networks.tablesOf(prefix, OPERATOR);
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
