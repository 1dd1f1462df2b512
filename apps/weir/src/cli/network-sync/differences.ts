import { comparePrefix, type Prefix } from '@weir/wire/inet';
import type { NetworkSource } from '../../model/network.ts';
import type { NetworkTables } from '../../state/index.ts';
import type { Contents } from './contents.ts';
import { endOf } from './dump-text.ts';
import { type KnownTables, NO_TABLE } from './known-tables.ts';

/** A table as it is here and as another has it. */
export interface TableDifference {
  readonly table: string;
  /** Prefixes of the families that the other speaks of. */
  readonly here: number;
  readonly there: number;
  /** Only there. */
  readonly add: readonly { readonly prefix: Prefix; readonly until: number | undefined }[];
  /** Only here, by hand. */
  readonly remove: readonly Prefix[];
  /** Only here, by somebody else, who alone takes them out. */
  readonly keep: readonly { readonly prefix: Prefix; readonly source: NetworkSource }[];
}

export interface Differences {
  readonly tables: readonly TableDifference[];
  /** What the other has in no table of this distributor: communities with their prefixes, most first. */
  readonly unknown: readonly { readonly community: string; readonly prefixes: number }[];
}

/** What another has and is not here, and what is here and the other does not have; a prefix that is in a table on both sides is the same, whoever put it there and until when. */
export function differences(here: NetworkTables, there: Contents, known: KnownTables): Differences {
  const unnamed = [...there.tables.tables, ...here.tables].filter((name) => name.includes(':') && known.isCompared(name));
  const names = [...new Set([...known.compared, ...unnamed])].filter((name) => there.told?.includes(name) ?? true);
  const found = new Map(names.map((table) => [table, { table, here: 0, there: 0, add: [], remove: [], keep: [] } as Found]));
  for (const { prefix, memberships } of there.tables.all()) {
    for (const { table } of memberships) {
      const one = found.get(table);
      if (!one) continue;
      one.there++;
      if (!isIn(here, prefix, table)) one.add.push({ prefix, until: endOf(there.tables, prefix, table) });
    }
  }
  for (const { prefix, memberships } of here.all()) {
    if (!there.families.includes(prefix.family)) continue;
    for (const table of new Set(memberships.map((one) => one.table))) {
      const one = found.get(table);
      if (!one) continue;
      one.here++;
      if (isIn(there.tables, prefix, table)) continue;
      const other = memberships.find(({ table: name, note }) => name === table && note.source.kind !== 'operator');
      if (other) one.keep.push({ prefix, source: other.note.source });
      else one.remove.push(prefix);
    }
  }
  for (const { add, remove, keep } of found.values()) {
    add.sort((a, b) => comparePrefix(a.prefix, b.prefix));
    remove.sort(comparePrefix);
    keep.sort((a, b) => comparePrefix(a.prefix, b.prefix));
  }
  return { tables: [...found.values()], unknown: unknownOf(there.tables, known) };
}

/** Whether there is any. */
export function differs({ add, remove, keep }: TableDifference): boolean {
  return add.length + remove.length + keep.length > 0;
}

/** Tables that would have nothing in them if what is only here were taken out. */
export function emptied({ tables }: Differences): readonly string[] {
  return tables.flatMap(({ table, there, remove }) => (there === 0 && remove.length > 0 ? [table] : []));
}

interface Found extends TableDifference {
  here: number;
  there: number;
  readonly add: { readonly prefix: Prefix; readonly until: number | undefined }[];
  readonly remove: Prefix[];
  readonly keep: { readonly prefix: Prefix; readonly source: NetworkSource }[];
}

function isIn(tables: NetworkTables, prefix: Prefix, table: string): boolean {
  return tables.memberships(prefix).some((one) => one.table === table);
}

function unknownOf(tables: NetworkTables, known: KnownTables): Differences['unknown'] {
  const names = tables.tables.filter((name) => name === NO_TABLE || (name.includes(':') && !known.isCompared(name)));
  return names
    .map((community) => ({ community, prefixes: tables.sizeOf(community) }))
    .sort((a, b) => b.prefixes - a.prefixes || (a.community < b.community ? -1 : 1));
}
