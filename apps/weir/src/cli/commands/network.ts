import { parsePrefix } from '@weir/wire/inet';
import type { ControlClient, NetworkChangeAnswer, NetworkSummary, NetworksAnswer } from '../../api/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';

/** Lines of a list that is refused that are told one by one. */
const MOST_PROBLEMS = 20;
/** Characters of a line that are shown. */
const SHOWN = 60;
/** Octets of prefixes of one command. */
const MOST_GIVEN = 60_000;

interface TablesOptions extends ViewOptions {
  readonly tables: readonly string[];
}

export interface NetworkAddOptions extends TablesOptions {
  /** Milliseconds since the epoch. */
  readonly until: number | undefined;
  readonly comment: string | undefined;
}

/** Puts prefixes into tables, and with `replace` out of all others. */
export function networkAdd(how: 'add' | 'replace', prefixes: readonly string[], options: NetworkAddOptions, io: Io): Promise<ExitCode> {
  const { tables, until, comment } = options;
  if (tables.length === 0) throw new CliError(EXIT.usage, 'which table? --table NAME or --community X:Y');
  checkNumber(prefixes);
  return withDaemon(options, async (client) => {
    const params = { prefixes, tables, ...(until === undefined ? {} : { until }), ...(comment === undefined ? {} : { comment }) };
    return tell(await client.call(`network-${how}`, params), options, io);
  });
}

/** Takes prefixes out of tables. */
export function networkDelete(prefixes: readonly string[], options: TablesOptions, io: Io): Promise<ExitCode> {
  checkNumber(prefixes);
  return withDaemon(options, async (client) =>
    tell(
      await client.call('network-delete', { prefixes, ...(options.tables.length === 0 ? {} : { tables: options.tables }) }),
      options,
      io,
    ),
  );
}

/** One command is one request. */
function checkNumber(prefixes: readonly string[]): void {
  if (prefixes.reduce((sum, { length }) => sum + length + 3, 0) > MOST_GIVEN)
    throw new CliError(
      EXIT.usage,
      `${prefixes.length} prefixes are too many for one command: put them into a file, and use weir network load`,
    );
}

/** Says what a change came to. */
export async function tell(answer: NetworkChangeAnswer, options: ViewOptions, io: Io): Promise<ExitCode> {
  const { added, updated, removed } = answer;
  await io.out(options.output === 'json' ? `${JSON.stringify(answer)}\n` : `${added} added, ${updated} updated, ${removed} removed\n`);
  return EXIT.ok;
}

interface ShowOptions extends ViewOptions {
  readonly table: string | undefined;
  readonly prefix: string | undefined;
  readonly client: string | undefined;
}

/** Prefixes in tables, tables, clients. */
export function networkShow(options: ShowOptions, io: Io): Promise<ExitCode> {
  return withDaemon(options, async (client) => {
    const first = await pages(client, options, async (page) => {
      if (options.output === 'json') for (const network of page) await io.out(`${JSON.stringify(network)}\n`);
      else await io.out(page.map(renderNetwork).join(''));
    });
    // Who asks for one client is told of that one.
    if (options.client !== undefined) return EXIT.ok;
    const { tables, clients } = first;
    if (options.output === 'json') await io.out(`${JSON.stringify({ tables, clients })}\n`);
    else await io.out(renderTables(first));
    return EXIT.ok;
  });
}

/** All pages one after the other; the first answer. */
async function pages(
  client: ControlClient,
  { table, prefix, client: of }: Pick<ShowOptions, 'table' | 'prefix' | 'client'>,
  use: (page: readonly NetworkSummary[]) => Promise<void>,
): Promise<NetworksAnswer> {
  const params = {
    ...(table === undefined ? {} : { table }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(of === undefined ? {} : { client: of }),
  };
  const first = await client.call('networks', params);
  await use(first.networks);
  for (let { cursor } = first; cursor !== undefined; ) {
    const next = await client.call('networks', { ...params, cursor });
    await use(next.networks);
    cursor = next.cursor;
  }
  return first;
}

/** The prefixes of a list. @throws CliError with every line that is none, the first of them one by one */
export function readList(octets: Uint8Array, file: string): readonly string[] {
  const out: string[] = [];
  const problems: string[] = [];
  let bad = 0;
  for (const [i, line] of Buffer.from(octets).toString('utf8').split('\n').entries()) {
    const [before = ''] = line.split('#', 1);
    const text = before.trim();
    if (text === '') continue;
    const parsed = text.length > 64 ? undefined : parsePrefix(text);
    if (parsed?.ok) {
      out.push(text);
      continue;
    }
    bad++;
    const what = parsed ? parsed.error.message : `not an address or prefix: ${text.slice(0, SHOWN)}...`;
    if (bad <= MOST_PROBLEMS) problems.push(escapeControl(`${file}:${i + 1}: ${what}`));
  }
  if (bad === 0) return out;
  const more = bad > MOST_PROBLEMS ? [`and ${bad - MOST_PROBLEMS} lines more`] : [];
  throw new CliError(EXIT.finding, [`${bad} lines of ${file} are no prefixes: nothing is changed`, ...problems, ...more].join('\n'));
}

function renderNetwork({ prefix, tables }: NetworkSummary): string {
  const notes = tables.map(({ table, source, by, since, until, comment }) =>
    [
      `${table} (${source}${by === undefined ? '' : `, ${by}`}, ${since}`,
      until === undefined ? '' : `, until ${until}`,
      ')',
      comment === undefined ? '' : ` ${comment}`,
    ].join(''),
  );
  return `${escapeControl(`${prefix}  ${notes.join('; ')}`)}\n`;
}

function renderTables({ tables, clients }: NetworksAnswer): string {
  const lines = [
    ...tables.map(({ table, prefixes, max }) => `table ${table}: ${prefixes} prefixes${max === undefined ? '' : ` of ${max}`}`),
    ...clients.map(({ client, sessions, tables: own }) => `client ${client}: ${sessions} sessions, gets ${own.join(', ')}`),
  ];
  return lines.map((line) => `${escapeControl(line)}\n`).join('');
}
