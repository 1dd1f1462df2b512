import { comparePrefix, type Prefix, parsePrefix, printPrefix } from '@weir/wire/inet';
import type { NetworkTables } from '../../state/index.ts';
import { CliError, EXIT } from '../exit.ts';
import { escapeControl } from '../render/escape.ts';
import { plural } from '../render/units.ts';
import { type Contents, emptyTables, noteUntil } from './contents.ts';
import type { KnownTable, KnownTables } from './known-tables.ts';

/** Octets of a line that is read. */
const LONGEST_LINE = 4096;
const SHOWN = 60;
/** Lines of a file that is refused that are told one by one. */
const MOST_PROBLEMS = 20;
/** Prefixes of one piece of text. */
const PIECE = 1000;

/**
 * Tables as text, in order: for each a line with its name and what its routes carry, then its prefixes, one a line.
 *
 * ```
 * table spammers 65000:2 64512:1:2
 * 198.51.100.0/24
 * 203.0.113.7/32 until 2026-12-01T00:00:00.000Z
 * ```
 */
export function* printTables(known: readonly KnownTable[], tables: NetworkTables): Iterable<string> {
  const prefixes = new Map(known.map(({ table }) => [table, [] as Prefix[]]));
  for (const { prefix, memberships } of tables.all())
    for (const name of new Set(memberships.map(({ table }) => table))) prefixes.get(name)?.push(prefix);
  for (const { table, communities } of known) {
    yield `table ${[table, ...communities].join(' ')}\n`;
    const sorted = (prefixes.get(table) ?? []).sort(comparePrefix);
    for (let at = 0; at < sorted.length; at += PIECE)
      yield sorted
        .slice(at, at + PIECE)
        .map((prefix) => `${printPrefix(prefix)}${printEnd(endOf(tables, prefix, table))}\n`)
        .join('');
  }
}

/** When the last of those who have a prefix in a table takes it out; undefined: nobody does. */
export function endOf(tables: NetworkTables, prefix: Prefix, table: string): number | undefined {
  let end = 0;
  for (const { table: name, note } of tables.memberships(prefix)) {
    if (name !== table) continue;
    if (note.until === undefined) return undefined;
    end = Math.max(end, note.until);
  }
  return end;
}

export function printEnd(until: number | undefined): string {
  return until === undefined ? '' : ` until ${new Date(until).toISOString()}`;
}

/**
 * Tables of such a text, or of a list of prefixes alone, which is the table `only`. What is over by `now` is left out.
 *
 * @throws CliError with every line that is not understood, the first of them one by one
 */
export function parseTables(octets: Uint8Array, file: string, known: KnownTables, only: readonly string[], now: number): Contents {
  const tables = emptyTables();
  const told = new Set<string>();
  const problems = new Problems(file);
  let table = only.length === 1 ? only[0] : undefined;
  let hasHeaders = false;
  const batch = new Batch(tables);
  for (const [number, line] of lines(octets)) {
    if (line === undefined) {
      problems.add(number, `a line of more than ${LONGEST_LINE} octets`);
      continue;
    }
    const fields = line.split('#', 1)[0]?.split(/\s+/).filter(Boolean) ?? [];
    const [first, second, third] = fields;
    if (first === undefined) continue;
    if (first === 'table') {
      const [, name = '', ...communities] = fields;
      if (!hasHeaders && told.size > 0) problems.add(number, 'a table begins below prefixes of none');
      hasHeaders = true;
      table = known.ofHeader(name, communities);
      if (table === undefined) problems.add(number, `not a table here, and not known by communities: ${name.slice(0, SHOWN)}`);
      else told.add(table);
      continue;
    }
    const prefix = parsePrefix(first);
    const until = second === undefined ? undefined : Date.parse(third ?? '');
    if (!prefix.ok)
      problems.add(number, first.length > SHOWN ? `not an address or prefix: ${first.slice(0, SHOWN)}...` : prefix.error.message);
    else if (until !== undefined && (second !== 'until' || Number.isNaN(until) || fields.length > 3))
      problems.add(number, `not understood: ${fields.slice(1).join(' ').slice(0, SHOWN)}`);
    else if (table === undefined && !hasHeaders) throw new CliError(EXIT.usage, `${file} does not say which table it is: --table NAME`);
    else if (table !== undefined) {
      told.add(table);
      if (until === undefined || until > now) batch.add(prefix.prefix, table, until);
    }
  }
  batch.flush();
  problems.throwAny();
  if (!hasHeaders && table === undefined)
    throw new CliError(EXIT.usage, `${file} has no table in it: with --table NAME it is an empty one`);
  if (!hasHeaders && table !== undefined) told.add(table);
  return { tables, told: [...told], families: [4, 6] };
}

/** Lines with their numbers, from 1; undefined where one is too long. */
function* lines(octets: Uint8Array): Iterable<readonly [number, string | undefined]> {
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.length);
  let number = 0;
  for (let at = 0; at < text.length; ) {
    const found = text.indexOf(10, at);
    const end = found < 0 ? text.length : found;
    number++;
    yield [number, end - at > LONGEST_LINE ? undefined : text.toString('utf8', at, end)];
    at = end + 1;
  }
}

/** Prefixes on their way into tables: those that follow each other and are of the same table and end at the same time go together. */
class Batch {
  readonly #tables: NetworkTables;
  #table = '';
  #until: number | undefined;
  #prefixes: Prefix[] = [];

  constructor(tables: NetworkTables) {
    this.#tables = tables;
  }

  add(prefix: Prefix, table: string, until: number | undefined): void {
    if (table !== this.#table || until !== this.#until || this.#prefixes.length >= PIECE) this.flush();
    this.#table = table;
    this.#until = until;
    this.#prefixes.push(prefix);
  }

  flush(): void {
    this.#tables.apply([{ kind: 'set', table: this.#table, note: noteUntil(this.#until), prefixes: this.#prefixes }]);
    this.#prefixes = [];
  }
}

/** Lines that are not understood. */
class Problems {
  readonly #file: string;
  readonly #told: string[] = [];
  #count = 0;

  constructor(file: string) {
    this.#file = file;
  }

  add(line: number, what: string): void {
    this.#count++;
    if (this.#count <= MOST_PROBLEMS) this.#told.push(escapeControl(`${this.#file}:${line}: ${what}`));
  }

  throwAny(): void {
    if (this.#count === 0) return;
    const more = this.#count > MOST_PROBLEMS ? [`and ${plural(this.#count - MOST_PROBLEMS, 'line')} more`] : [];
    const first = `${plural(this.#count, 'line')} of ${this.#file} not understood: nothing is changed`;
    throw new CliError(EXIT.finding, [first, ...this.#told, ...more].join('\n'));
  }
}
