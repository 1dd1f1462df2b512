import { printPrefix } from '@weir/wire/inet';
import type { NetworkSource } from '../../model/network.ts';
import { escapeControl } from '../render/escape.ts';
import { type Differences, differs, type TableDifference } from './differences.ts';
import { printEnd } from './dump-text.ts';

/** What is done about differences. */
export interface Told {
  readonly remove: boolean;
  readonly dryRun: boolean;
}

/** For each table how much is different, and what: `+` is only there, `-` only here. Of what only is here nothing is listed where it stays. */
export function* renderDifferences({ tables }: Differences, { remove, dryRun }: Told): Iterable<string> {
  for (const one of tables) {
    yield `${escapeControl(`table ${one.table}: ${heading(one, remove)}`)}\n`;
    for (const { prefix, until } of one.add) yield `+ ${printPrefix(prefix)}${printEnd(until)}\n`;
    if (!remove && !dryRun) continue;
    for (const prefix of one.remove) yield `- ${printPrefix(prefix)}\n`;
    for (const { prefix, source } of one.keep) yield `${escapeControl(`- ${printPrefix(prefix)} (stays: of ${printSource(source)})`)}\n`;
  }
}

function heading(one: TableDifference, remove: boolean): string {
  const { here, there, add, remove: gone, keep } = one;
  if (!differs(one)) return `the same, ${here === 1 ? '1 prefix' : `${here} prefixes`}`;
  const stay = keep.length + (remove ? 0 : gone.length);
  const parts = [
    `${here} here, ${there} there`,
    `${add.length} only there`,
    `${gone.length + keep.length} only here${stay > 0 ? `, of which ${stay} stay` : ''}`,
  ];
  return parts.join('; ');
}

/** The same for programs. */
export function summarize({ tables, unknown }: Differences): object {
  return {
    tables: tables.map(({ table, here, there, add, remove, keep }) => ({
      table,
      here,
      there,
      only_there: add.map(({ prefix, until }) => ({
        prefix: printPrefix(prefix),
        ...(until === undefined ? {} : { until: new Date(until).toISOString() }),
      })),
      only_here: [
        ...remove.map((prefix) => ({ prefix: printPrefix(prefix) })),
        ...keep.map(({ prefix, source }) => ({ prefix: printPrefix(prefix), stays: printSource(source) })),
      ],
    })),
    unknown,
  };
}

function printSource(source: NetworkSource): string {
  return source.kind === 'operator' ? source.kind : `${source.kind} ${source.name}`;
}
