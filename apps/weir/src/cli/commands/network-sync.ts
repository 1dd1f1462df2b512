import { createReadStream, readFileSync } from 'node:fs';
import { type Asn, asn, type Ip, parseIp, printPrefix } from '@weir/wire/inet';
import { type ControlClient, FORMAT_VERSION, type NetworkChangeAnswer } from '../../api/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { Contents } from '../network-sync/contents.ts';
import { type Differences, differences, differs, emptied, type TableDifference } from '../network-sync/differences.ts';
import { parseTables, printTables } from '../network-sync/dump-text.ts';
import { fromDaemon } from '../network-sync/from-daemon.ts';
import { fromSession, type SessionAddress } from '../network-sync/from-session.ts';
import { KnownTables } from '../network-sync/known-tables.ts';
import { renderDifferences, summarize } from '../network-sync/render.ts';
import type { ViewOptions } from '../options.ts';
import { readStream } from '../read-stream.ts';
import { sendPages } from './network-load.ts';

/** Octets of a dump. */
const LONGEST_DUMP = 512 << 20;
const BGP_PORT = 179;

export interface NetworkSyncOptions extends ViewOptions {
  /** All when there are none. */
  readonly tables: readonly string[];
  /** Communities that no table has are tables without a name. */
  readonly unnamed: boolean;
  readonly replace: boolean;
  readonly allowEmpty: boolean;
  readonly dryRun: boolean;
  /** Exit code 2 when there are differences, in a dry run. */
  readonly detailed: boolean;
  readonly comment: string | undefined;
  /** Milliseconds since the epoch, of what says nothing of its end. */
  readonly until: number | undefined;
  /** Of the session; that of the daemon when absent. */
  readonly as: number | undefined;
  readonly source: string | undefined;
  readonly passwordFile: string | undefined;
  /** Milliseconds. */
  readonly quiet: number;
  readonly timeout: number;
  readonly maxRoutes: number;
}

/** Makes the tables of the daemon those of another distributor, or says what is different. */
export async function networkSync(from: string, options: NetworkSyncOptions, io: Io): Promise<ExitCode> {
  const { known, as } = await withDaemon(options, async (client) => {
    const { tables } = await client.call('networks', { limit: 1 });
    return {
      known: new KnownTables(tables, { only: options.tables, unnamed: options.unnamed }),
      as: asn(options.as ?? (await client.call('status', {})).bgp.as),
    };
  });
  const there = await read(from, known, as, options, io);
  return withDaemon(options, async (client) => {
    const found = differences((await fromDaemon(client)).tables, there, known);
    const missing = ([4, 6] as const).filter((family) => !there.families.includes(family));
    for (const family of missing) io.err(`${from} does not speak of IPv${family}: what there is of it stays as it is\n`);
    for (const { community, prefixes } of found.unknown) io.err(`not a table here: ${community} (${prefixes})\n`);
    const different = found.tables.some(differs);
    const json = async (changed: NetworkChangeAnswer | undefined): Promise<void> =>
      io.out(`${JSON.stringify({ format_version: FORMAT_VERSION, from, ...summarize(found), ...changed })}\n`);
    if (options.output === 'text')
      for (const text of renderDifferences(found, { remove: options.replace, dryRun: options.dryRun })) await io.out(text);
    else if (options.dryRun) await json(undefined);
    // A dry run ends here too where the change would be refused.
    const changed = different || !options.dryRun ? await apply(client, from, found, options) : undefined;
    if (!options.dryRun && options.output === 'json') await json(changed);
    else if (!options.dryRun && changed) await io.out(`${changed.added} added, ${changed.removed} removed\n`);
    return options.dryRun && options.detailed && different ? EXIT.finding : EXIT.ok;
  });
}

async function read(from: string, known: KnownTables, as: Asn, options: NetworkSyncOptions, io: Io): Promise<Contents> {
  const at = readAddress(from);
  if (at) {
    const { quiet, timeout, maxRoutes } = options;
    const source = options.source === undefined ? undefined : readSource(options.source);
    return fromSession(at, known, { as, source, password: readPassword(options), quiet, timeout, maxRoutes, signal: io.signal });
  }
  const octets = await readStream(from === '-' ? io.stdin : createReadStream(from), from, LONGEST_DUMP);
  return parseTables(octets, from, known, options.tables, Date.now());
}

/** `192.0.2.2`, `192.0.2.2:1179`, `2001:db8::2`, `[2001:db8::2]:1179`, `fe80::2%eth0`; undefined where it is none of them. */
export function readAddress(text: string): SessionAddress | undefined {
  const found = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text) ?? /^(\d+\.\d+\.\d+\.\d+):(\d{1,5})$/.exec(text);
  const [host = '', device] = (found?.[1] ?? text).split('%', 2);
  const address = parseIp(host);
  const port = Number(found?.[2] ?? BGP_PORT);
  if (!address) return undefined;
  if (port < 1 || port > 65_535) throw new CliError(EXIT.usage, `${text}: a port is 1-65535`);
  return { address, device, port };
}

function readSource(text: string): Ip {
  const found = parseIp(text);
  if (!found) throw new CliError(EXIT.usage, `--source ${text}: not an address`);
  return found;
}

function readPassword({ passwordFile }: NetworkSyncOptions): string | undefined {
  if (passwordFile === undefined) return undefined;
  try {
    return readFileSync(passwordFile, 'utf8').split(/\r?\n/, 1)[0];
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw new CliError(EXIT.error, `${passwordFile}: ${error.message}`);
    throw error;
  }
}

/** All of it as one change, or nothing; nothing in any case in a dry run. */
async function apply(
  client: ControlClient,
  from: string,
  found: Differences,
  { replace, allowEmpty, dryRun, comment = `from ${from}`.slice(0, 256), until }: NetworkSyncOptions,
): Promise<NetworkChangeAnswer> {
  const empty = replace && !allowEmpty ? emptied(found) : [];
  if (empty.length > 0)
    throw new CliError(
      EXIT.error,
      `${from} has nothing in ${empty.join(', ')}: nothing is changed; --allow-empty takes out all that is here`,
    );
  const { load } = await client.call('network-load', { comment, ...(until === undefined ? {} : { until }) });
  for (const one of found.tables) await pages(client, load, one, replace);
  return client.call('network-load-commit', { load, ...(dryRun ? { dry_run: true } : {}) });
}

async function pages(client: ControlClient, load: string, { table, add, remove }: TableDifference, replace: boolean): Promise<void> {
  if (replace && remove.length > 0) await sendPages(client, load, remove.map(printPrefix), { table, remove: true });
  const byEnd = new Map<number | undefined, string[]>();
  for (const { prefix, until } of add) {
    const some = byEnd.get(until);
    if (some) some.push(printPrefix(prefix));
    else byEnd.set(until, [printPrefix(prefix)]);
  }
  for (const [until, prefixes] of byEnd) await sendPages(client, load, prefixes, { table, ...(until === undefined ? {} : { until }) });
}

/** All tables as text. */
export function networkDumpAll(options: ViewOptions, io: Io): Promise<ExitCode> {
  return withDaemon(options, async (client) => {
    const { tables, known } = await fromDaemon(client);
    for (const text of printTables(known, tables)) await io.out(text);
    return EXIT.ok;
  });
}
