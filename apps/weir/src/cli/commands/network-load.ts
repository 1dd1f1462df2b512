import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import type { ControlClient, Params } from '../../api/index.ts';
import { withDaemon } from '../daemon-client.ts';
import type { ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { readStream } from '../read-stream.ts';
import { readList, tell } from './network.ts';

/** Octets of a list. */
const LONGEST_LIST = 512 << 20;
/** Octets of prefixes of one request, which has at most 64 KiB, and requests on their way at a time. */
const PAGE = 60_000;
const AHEAD = 4;

export interface NetworkLoadOptions extends ViewOptions {
  readonly table: string;
  readonly replace: boolean;
  readonly until: number | undefined;
  readonly comment: string | undefined;
}

/** A list of prefixes into a table: all, or none. */
export async function networkLoad(file: string, options: NetworkLoadOptions, io: Io): Promise<ExitCode> {
  const { table, replace, until, comment } = options;
  const input: Readable = file === '-' ? process.stdin : createReadStream(file);
  const prefixes = readList(await readStream(input, file, LONGEST_LIST), file);
  return withDaemon(options, async (client) => {
    const rest = { ...(until === undefined ? {} : { until }), ...(comment === undefined ? {} : { comment }) };
    const { load } = await client.call('network-load', { table, replace, ...rest });
    await sendPages(client, load, prefixes);
    return tell(await client.call('network-load-commit', { load }), options, io);
  });
}

/** Prefixes for a load: into its table, or what of them is to be done. */
export async function sendPages(
  client: ControlClient,
  load: string,
  prefixes: readonly string[],
  of: Omit<Params<'network-load-page'>, 'load' | 'prefixes'> = {},
): Promise<void> {
  let asked: Promise<unknown>[] = [];
  for (const page of pagesOf(prefixes)) {
    asked.push(client.call('network-load-page', { load, prefixes: page, ...of }));
    if (asked.length < AHEAD) continue;
    await Promise.all(asked);
    asked = [];
  }
  await Promise.all(asked);
}

function* pagesOf(prefixes: readonly string[]): Iterable<readonly string[]> {
  let first = 0;
  let octets = 0;
  for (const [i, { length }] of prefixes.entries()) {
    // Two quotes and a comma.
    octets += length + 3;
    if (octets <= PAGE) continue;
    yield prefixes.slice(first, i);
    first = i;
    octets = length + 3;
  }
  yield prefixes.slice(first);
}
