import type { FamilyName } from '@weir/bgp/codec';
import { type Announcer, type OutgoingSession, type RouteOptions, StaticRoutes } from '@weir/bgp/session';
import { type Prefix, parseIp } from '@weir/wire/inet';
import type { OwnCommunity } from '../../model/blackhole.ts';
import type { DistributeClient, DistributeConfig } from '../../model/distribute.ts';
import { parseOwnCommunity } from '../config/index.ts';

const EMPTY: DistributeConfig = {
  tables: [],
  clients: [],
  peers: [],
  nextHop: { 4: undefined, 6: undefined },
  span: { file: '', line: 1, column: 1, length: 0 },
};

/** The client that a session is of: its name is that of the client and the address that it came from. */
export function clientOfSession(clients: readonly DistributeClient[], session: string): DistributeClient | undefined {
  return clients.find(({ name }) => session.startsWith(`${name}-`) && parseIp(session.slice(name.length + 1)) !== undefined);
}

/**
 * Tables of networks as routes: each session gets the prefixes of the tables that it may have, with the communities of these and of no others. A prefix is in a named table, or in one that is a community
 * itself, which all clients get that may have all tables.
 */
export class NetworkAnnouncer implements Announcer {
  #config: DistributeConfig;
  #routes: StaticRoutes;
  /** What prefixes in the same tables are announced with. */
  readonly #options = new Map<string, RouteOptions>();
  readonly #sessions = new Map<string, string>();

  constructor(config: DistributeConfig | undefined) {
    this.#config = config ?? EMPTY;
    this.#routes = new StaticRoutes({ audienceOf: (peer) => this.#audienceOf(peer) });
  }

  /** Sessions that have it all, by client. */
  get sessions(): ReadonlyMap<string, string> {
    return this.#sessions;
  }

  /** A prefix is in these tables now, in none of them where there are none. */
  set(prefix: Prefix, tables: readonly string[]): void {
    const options = tables.length === 0 ? undefined : this.#optionsOf(tables, prefix.family);
    if (options) this.#routes.announce([prefix], options);
    else this.#routes.withdraw([prefix]);
  }

  /** Another configuration: `all` are the prefixes with their tables. */
  configure(config: DistributeConfig | undefined, all: Iterable<{ readonly prefix: Prefix; readonly tables: readonly string[] }>): void {
    if (JSON.stringify(announced(config ?? EMPTY)) === JSON.stringify(announced(this.#config))) return;
    this.#config = config ?? EMPTY;
    this.#options.clear();
    for (const { prefix, tables } of all) this.set(prefix, tables);
    for (const peer of this.#sessions.keys()) this.#routes.regroup(peer);
  }

  established(session: OutgoingSession): void {
    this.#sessions.set(session.peer, clientOfSession(this.#config.clients, session.peer)?.name ?? '');
    this.#routes.established(session);
  }

  refresh(peer: string, family: FamilyName): void {
    this.#routes.refresh(peer, family);
  }

  drained(peer: string): void {
    this.#routes.drained(peer);
  }

  down(peer: string): void {
    this.#sessions.delete(peer);
    this.#routes.down(peer);
  }

  #audienceOf(peer: string): string {
    return audience(clientOfSession(this.#config.clients, peer)?.tables ?? []);
  }

  #optionsOf(tables: readonly string[], family: 4 | 6): RouteOptions {
    const key = `${family} ${tables.join(' ')}`;
    const known = this.#options.get(key);
    if (known) return known;
    const audiences = new Map<string, RouteOptions>();
    for (const { tables: own } of this.#config.clients) {
      const communities = tables.flatMap((table) => this.#communitiesFor(table, own));
      if (communities.length > 0) audiences.set(audience(own), this.#route(communities, family));
    }
    const options: RouteOptions = { audiences };
    this.#options.set(key, options);
    return options;
  }

  #communitiesFor(table: string, own: readonly string[]): readonly OwnCommunity[] {
    const named = this.#config.tables.find(({ name }) => name === table);
    if (named) return own.includes(table) ? named.communities : [];
    const community = parseOwnCommunity(table);
    return community && this.#config.tables.every(({ name }) => own.includes(name)) ? [community] : [];
  }

  #route(communities: readonly OwnCommunity[], family: 4 | 6): RouteOptions {
    const standard = communities.flatMap(({ kind, value }) => (kind === 'standard' ? [value] : []));
    const large = communities.flatMap(({ kind, value }) => (kind === 'large' ? [value] : []));
    const address = this.#config.nextHop[family];
    return {
      attributes: {
        ...(standard.length > 0 ? { communities: [...new Set(standard)] } : {}),
        ...(large.length > 0 ? { largeCommunities: large } : {}),
      },
      ...(address ? { nextHop: { address } } : {}),
    };
  }
}

function audience(tables: readonly string[]): string {
  return [...tables].sort().join(' ');
}

/** What of a configuration is seen in routes. */
function announced({ tables, clients, nextHop }: DistributeConfig): unknown {
  return [tables.map(({ name, communities }) => [name, communities]), clients.map(({ name, tables: own }) => [name, own]), nextHop];
}
