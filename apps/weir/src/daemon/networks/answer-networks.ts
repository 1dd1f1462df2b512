import { covers, type Prefix, parseIp, parsePrefix, printPrefix } from '@weir/wire/inet';
import {
  ApiError,
  FORMAT_VERSION,
  type NetworkDumpAnswer,
  type NetworkSummary,
  type NetworksAnswer,
  type Params,
} from '../../api/index.ts';
import type { Config } from '../../model/config.ts';
import type { Membership, NetworkSource } from '../../model/network.ts';
import { parseOwnCommunity } from '../../sources/config/index.ts';
import { printOwnCommunity } from '../own-blackholes.ts';
import { iso, summarizeNote } from '../summaries.ts';
import type { Networks } from './networks.ts';

const DEFAULT_PAGE = 1000;
/** Prefixes of one answer of a dump, and prefixes that are looked at for one. */
const DUMP_PAGE = 10_000;
const MOST_LOOKS = 50_000;

/** A page of prefixes in tables, and what tables and clients there are. */
export function answerNetworks(networks: Networks, config: Config, params: Params<'networks'>): NetworksAnswer {
  const { table, client, limit = DEFAULT_PAGE } = params;
  const within = params.prefix === undefined ? undefined : readPrefix(params.prefix);
  const from = readCursor(params.cursor);
  const found: NetworkSummary[] = [];
  let cursor: number | undefined;
  for (const { at, prefix, memberships } of networks.tables.all(from)) {
    if (within && !covers(within, prefix) && !covers(prefix, within)) continue;
    const shown = memberships.filter((one) => (table === undefined || one.table === table) && (client === undefined || isOf(one, client)));
    if (shown.length === 0) continue;
    if (found.length === limit) {
      cursor = at;
      break;
    }
    found.push({ prefix: printPrefix(prefix), tables: shown.map(summarize) });
  }
  const sessions = [...networks.announcer.sessions.values()];
  const distribute = config.distribute ?? { tables: [], clients: [] };
  const named = new Map(distribute.tables.map((one) => [one.name, one]));
  const tables = [...new Set([...named.keys(), ...networks.tables.tables])].map((name) => {
    const one = named.get(name);
    const communities = one?.communities.map(printOwnCommunity) ?? (parseOwnCommunity(name) ? [name] : []);
    return { table: name, prefixes: networks.tables.sizeOf(name), ...(one ? { max: one.maxPrefixes } : {}), communities };
  });
  return {
    format_version: FORMAT_VERSION,
    networks: found,
    tables,
    clients: distribute.clients.map(({ name, tables: own }) => ({
      client: name,
      sessions: sessions.filter((client) => client === name).length,
      tables: own,
    })),
    ...(cursor === undefined ? {} : { cursor: String(cursor) }),
  };
}

/** Whether a client, or one of its sessions, has put a prefix into a table. */
function isOf({ note: { source } }: Membership, client: string): boolean {
  if (source.kind !== 'client') return false;
  return source.name === client || (source.name.startsWith(`${client}-`) && parseIp(source.name.slice(client.length + 1)) !== undefined);
}

/** Prefixes of a table as text, as many as one answer has room for. */
export function answerDump(networks: Networks, config: Config, { table, cursor: given }: Params<'network-dump'>): NetworkDumpAnswer {
  if (networks.tables.sizeOf(table) === 0 && !config.distribute?.tables.some(({ name }) => name === table))
    throw new ApiError('not-found', `there is no table ${table}`);
  const found: string[] = [];
  let looks = 0;
  let cursor: number | undefined;
  for (const { at, prefix, memberships } of networks.tables.all(readCursor(given))) {
    if (found.length === DUMP_PAGE || ++looks > MOST_LOOKS) {
      cursor = at;
      break;
    }
    if (memberships.some((one) => one.table === table)) found.push(printPrefix(prefix));
  }
  return { format_version: FORMAT_VERSION, prefixes: found.join(' '), ...(cursor === undefined ? {} : { cursor: String(cursor) }) };
}

function readCursor(text = '0'): number {
  const from = Number(text);
  if (!Number.isSafeInteger(from) || from < 0) throw new ApiError('bad-request', 'not a cursor');
  return from;
}

function summarize({ table, note: { source, by, since, until, comment } }: Membership): NetworkSummary['tables'][number] {
  return {
    table,
    source: sourceText(source),
    ...(by === '' ? {} : { by }),
    since: iso(since),
    ...summarizeNote({ until, comment }),
  };
}

export function sourceText(source: NetworkSource): string {
  return source.kind === 'operator' ? source.kind : `${source.kind} ${source.name}`;
}

export function readPrefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (!parsed.ok) throw new ApiError('bad-request', parsed.error.message);
  return parsed.prefix;
}
