import { printIp, printPrefix } from '@weir/wire/inet';
import { ApiError, type ClientSummary, FORMAT_VERSION, type NetworkClientAnswer, type Params } from '../../../api/index.ts';
import type { Config } from '../../../model/config.ts';
import type { ClientSession, ContributionRefusal } from '../../../model/contribution.ts';
import { type ClientSessions, clientOfSession } from '../../../sources/bgp/index.ts';
import { iso } from '../../summaries.ts';
import type { Networks } from '../networks.ts';
import type { Contributions } from './contributions.ts';

const DEFAULT_PAGE = 1000;

/** What questions about clients are answered from. */
export interface ClientParts {
  readonly networks: () => Networks;
  readonly clients: ClientSessions;
  readonly contributions: Contributions | undefined;
}

/** Clients with how many sessions they have, as many lines as the configuration has clients; nothing where there are none. */
export function summarizeClients(parts: ClientParts, config: Config): { readonly clients?: readonly ClientSummary[] } {
  const clients = config.distribute?.clients ?? [];
  if (clients.length === 0) return {};
  const up = new Map<string, number>();
  for (const { client, established } of parts.clients.sessions()) if (established) up.set(client, (up.get(client) ?? 0) + 1);
  const contributed = new Map<string, number>();
  const { tables } = parts.networks();
  for (const table of tables.tables) {
    for (const { source, prefixes } of tables.sourcesOf(table)) {
      const name = source.kind === 'client' ? clientOfSession(clients, source.name)?.name : undefined;
      if (name !== undefined) contributed.set(name, (contributed.get(name) ?? 0) + prefixes);
    }
  }
  return {
    clients: clients.map(({ name }) => ({
      client: name,
      sessions: up.get(name) ?? 0,
      contributed: contributed.get(name) ?? 0,
      refused: Object.fromEntries(parts.contributions?.totals(name) ?? []),
    })),
  };
}

/** A client and a page of its sessions, or one session of it. */
export function answerClient(parts: ClientParts, config: Config, params: Params<'network-client'>): NetworkClientAnswer {
  const { client: asked, limit = DEFAULT_PAGE, cursor = '0' } = params;
  const clients = config.distribute?.clients ?? [];
  const client = clients.find(({ name }) => name === asked) ?? clientOfSession(clients, asked);
  if (!client) {
    const known = clients.map(({ name }) => name).join(', ');
    throw new ApiError('not-found', `there is no client ${asked}: ${known === '' ? 'none is configured' : `there are ${known}`}`);
  }
  const from = Number(cursor);
  if (!Number.isSafeInteger(from) || from < 0) throw new ApiError('bad-request', 'not a cursor');
  const all = parts.clients.sessions(client.name).filter(({ name }) => asked === client.name || name === asked);
  const statuses = parts.clients.statuses();
  const held = heldBy(parts.networks());
  return {
    format_version: FORMAT_VERSION,
    client: client.name,
    from: client.ranges.map(printPrefix),
    as: client.as,
    tables: client.tables,
    contribute: client.contribute.map(({ table, prefixes, lengths, maxPrefixes, lifetime }) => ({
      table,
      prefixes: prefixes.map(printPrefix),
      lengths: { ipv4: [lengths[4].min, lengths[4].max], ipv6: [lengths[6].min, lengths[6].max] },
      max_prefixes: maxPrefixes,
      lifetime_ms: lifetime,
    })),
    sessions: all.slice(from, from + limit).map((session) => summarizeSession(parts, session, statuses, held)),
    refused: Object.fromEntries(parts.contributions?.totals(client.name) ?? []),
    ...(from + limit < all.length ? { cursor: String(from + limit) } : {}),
  };
}

type Held = ReadonlyMap<string, Readonly<Record<string, number>>>;

/** Prefixes by session and table. */
function heldBy({ tables }: Networks): Held {
  const out = new Map<string, Record<string, number>>();
  for (const table of tables.tables) {
    for (const { source, prefixes } of tables.sourcesOf(table)) {
      if (source.kind !== 'client') continue;
      const own = out.get(source.name) ?? {};
      out.set(source.name, own);
      own[table] = prefixes;
    }
  }
  return out;
}

function summarizeSession(
  parts: ClientParts,
  { name, address, as, established }: ClientSession,
  statuses: ReturnType<ClientSessions['statuses']>,
  held: Held,
): NetworkClientAnswer['sessions'][number] {
  const status = statuses.get(name);
  const progress = established ? parts.networks().announcer.progress(name) : undefined;
  const refused: Record<string, { readonly count: number; readonly last?: string }> = {};
  for (const [reason, { count, last }] of parts.contributions?.refusals(name) ?? new Map<ContributionRefusal, never>())
    refused[reason] = { count, ...(last === undefined ? {} : { last }) };
  return {
    session: name,
    address: printIp(address),
    ...(as === 0 ? {} : { as }),
    state: status?.state ?? (established ? 'Established' : 'Idle'),
    ...(status ? { since: iso(status.since) } : {}),
    ...(progress ? { routes: progress.routes, in_step: progress.inStep } : {}),
    queue: status?.sendPending ?? 0,
    contributed: held.get(name) ?? {},
    refused,
  };
}
