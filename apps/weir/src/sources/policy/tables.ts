import { type AddressTable, type AddressTables, readAddressTable, type TableKind } from '@weir/filter/eval';
import { type Files, relativeTo } from '../yaml/files.ts';
import type { Table } from '../yaml/shape.ts';
import { type Place, spanOf } from '../yaml/source-text.ts';
import type { Report } from '../yaml/tree.ts';
import type { RawPolicy } from './raw.ts';

/** Bytes of one table; those of cities are the largest that there are. */
const MAX_TABLE_BYTES = 256 * 1024 * 1024;
const KINDS: readonly TableKind[] = ['country', 'asnum'];

/** Tables that can be used, and those that are named at all: what is wrong with the others has been reported. */
export interface PolicyTables {
  readonly usable: AddressTables;
  readonly named: ReadonlySet<TableKind>;
}

/** The tables that the files of a policy name, each of them once. */
export function readTables(
  parts: readonly { readonly file: string; readonly table: Table<RawPolicy> }[],
  system: Files,
  report: Report,
): PolicyTables {
  const named = new Set<TableKind>();
  const usable: { [K in TableKind]?: AddressTable } = {};
  for (const kind of KINDS) {
    let first: { readonly path: string; readonly place: Place } | undefined;
    for (const { file, table } of parts) {
      const name = table.get.tables?.get[kind];
      const place = table.get.tables?.place(kind);
      if (name === undefined || !place) continue;
      named.add(kind);
      const path = relativeTo(file, name);
      if (first) {
        const at = spanOf(first.place);
        if (path !== first.path) report('E030', place, `tables.${kind} is already ${first.path} at ${at.file}:${at.line}`);
        continue;
      }
      first = { path, place };
      const read = readTable(path, kind, place, system, report);
      if (read) usable[kind] = read;
    }
  }
  return { usable, named };
}

function readTable(path: string, kind: TableKind, place: Place, system: Files, report: Report): AddressTable | undefined {
  const read = system.read(path, MAX_TABLE_BYTES);
  if ('error' in read) {
    report('E001', place, `cannot read ${path}: ${read.error}`);
    return undefined;
  }
  if (read.bytes.length > MAX_TABLE_BYTES) {
    report('E002', place, `${path} is larger than ${MAX_TABLE_BYTES} bytes`);
    return undefined;
  }
  const result = readAddressTable(read.bytes, kind);
  if ('table' in result) return result.table;
  report('E048', place, `${path} is not a table of ${kind === 'country' ? 'countries' : 'AS numbers'}: ${result.problem}`);
  return undefined;
}
