import { covers, type Prefix, parsePrefix, printPrefix } from '@weir/wire/inet';
import { ApiError, FORMAT_VERSION, type NetworkSummary, type NetworksAnswer, type Params } from '../../api/index.ts';
import type { Config } from '../../model/config.ts';
import type { Membership, NetworkSource } from '../../model/network.ts';
import { parseOwnCommunity } from '../../sources/config/index.ts';
import { printOwnCommunity } from '../own-blackholes.ts';
import { iso } from '../summaries.ts';
import type { Networks } from './networks.ts';

const DEFAULT_PAGE = 1000;

/** A page of prefixes in tables, and what tables and clients there are. */
export function answerNetworks(networks: Networks, config: Config, params: Params<'networks'>): NetworksAnswer {
  const { table, limit = DEFAULT_PAGE } = params;
  const within = params.prefix === undefined ? undefined : readPrefix(params.prefix);
  const from = params.cursor === undefined ? 0 : Number(params.cursor);
  if (!Number.isSafeInteger(from) || from < 0) throw new ApiError('bad-request', 'not a cursor');
  const found: NetworkSummary[] = [];
  let at = 0;
  let cursor: number | undefined;
  for (const { prefix, memberships } of networks.tables.all()) {
    if (at++ < from) continue;
    if (within && !covers(within, prefix) && !covers(prefix, within)) continue;
    const shown = table === undefined ? memberships : memberships.filter((one) => one.table === table);
    if (shown.length === 0) continue;
    if (found.length === limit) {
      cursor = at - 1;
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

function summarize({ table, note: { source, by, since, until, comment } }: Membership): NetworkSummary['tables'][number] {
  return {
    table,
    source: sourceText(source),
    ...(by === '' ? {} : { by }),
    since: iso(since),
    ...(until === undefined ? {} : { until: iso(until) }),
    ...(comment === undefined ? {} : { comment }),
  };
}

function sourceText(source: NetworkSource): string {
  return source.kind === 'operator' ? source.kind : `${source.kind} ${source.name}`;
}

function readPrefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (!parsed.ok) throw new ApiError('bad-request', parsed.error.message);
  return parsed.prefix;
}
