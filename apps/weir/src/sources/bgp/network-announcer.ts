import type { FamilyName } from '@weir/bgp/codec';
import { type Announcer, type OutgoingSession, type RouteOptions, StaticRoutes } from '@weir/bgp/session';
import { type Prefix, parseIp, printPrefix } from '@weir/wire/inet';
import type { DistributeClient, DistributeConfig } from '../../model/distribute.ts';
import { NetworkAggregates } from './network-aggregates.ts';
import { tableRoute } from './table-route.ts';

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
  /** Undefined where no table is to be merged: then prefixes are told as they are. */
  #aggregates: NetworkAggregates | undefined;
  readonly #sessions = new Map<string, string>();

  constructor(config: DistributeConfig | undefined) {
    this.#config = config ?? EMPTY;
    this.#routes = new StaticRoutes({
      audienceOf: (peer) => this.#audienceOf(peer),
      ownNextHops: () => this.#config.nextHop[4] !== undefined && this.#config.nextHop[6] !== undefined,
    });
    this.#aggregates = this.#aggregatesOf();
  }

  /** Sessions that have it all, by client. */
  get sessions(): ReadonlyMap<string, string> {
    return this.#sessions;
  }

  /** A prefix is in these tables now, in none of them where there are none. */
  set(prefix: Prefix, tables: readonly string[]): void {
    if (!this.#aggregates) {
      const options = tables.length === 0 ? undefined : this.#optionsOf(tables, prefix.family);
      if (options) this.#routes.announce([prefix], options);
      else this.#routes.withdraw([prefix]);
      return;
    }
    // In which order does not matter: what is announced leaves before what is withdrawn.
    for (const touched of this.#aggregates.set(prefix, tables)) {
      const told = this.#aggregates.told(touched);
      if (told.size > 0) this.#routes.announce([touched], this.#mergedOptions(told, touched.family));
      else this.#routes.withdraw([touched]);
    }
  }

  /** Another configuration: `all` are the prefixes with their tables. */
  configure(config: DistributeConfig | undefined, all: Iterable<{ readonly prefix: Prefix; readonly tables: readonly string[] }>): void {
    if (JSON.stringify(announced(config ?? EMPTY)) === JSON.stringify(announced(this.#config))) return;
    const before = this.#aggregates;
    this.#config = config ?? EMPTY;
    this.#options.clear();
    this.#aggregates = this.#aggregatesOf();
    // What was announced, if it was by aggregates or is from now on.
    const known = new Map<string, Prefix>();
    const there = new Set<string>();
    for (const { prefix, tables } of all) {
      for (const touched of before?.set(prefix, []) ?? []) known.set(printPrefix(touched), touched);
      if (before || this.#aggregates) there.add(printPrefix(prefix));
      if (!before && this.#aggregates) known.set(printPrefix(prefix), prefix);
      this.set(prefix, tables);
    }
    for (const [key, prefix] of known) {
      const stays = this.#aggregates ? this.#aggregates.told(prefix).size > 0 : there.has(key);
      if (!stays) this.#routes.withdraw([prefix]);
    }
    for (const peer of this.#sessions.keys()) this.#routes.regroup(peer);
  }

  established(session: OutgoingSession): void {
    this.#sessions.set(session.peer, clientOfSession(this.#config.clients, session.peer)?.name ?? '');
    this.#routes.established(session);
  }

  /** How many routes a session is told, and whether it has been told all of them. */
  progress(peer: string): ReturnType<StaticRoutes['progress']> {
    return this.#routes.progress(peer);
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
      const route = tableRoute(this.#config, tables, own, family);
      if (route) audiences.set(audience(own), route);
    }
    const options: RouteOptions = { audiences };
    this.#options.set(key, options);
    return options;
  }

  #aggregatesOf(): NetworkAggregates | undefined {
    const merged = new Set(this.#config.tables.flatMap(({ name, aggregate }) => (aggregate ? [name] : [])));
    if (merged.size === 0) return undefined;
    const sees = (own: readonly string[]) => (tables: readonly string[]) =>
      tables.filter((table) => tableRoute(this.#config, [table], own, 4) !== undefined);
    return new NetworkAggregates({
      merged,
      audiences: new Map(this.#config.clients.map(({ tables }) => [audience(tables), sees(tables)])),
    });
  }

  /** Of a prefix that each audience is told with tables of its own. */
  #mergedOptions(told: ReadonlyMap<string, readonly string[]>, family: 4 | 6): RouteOptions {
    const key = JSON.stringify([family, ...told]);
    const known = this.#options.get(key);
    if (known) return known;
    const audiences = new Map<string, RouteOptions>();
    for (const { tables: own } of this.#config.clients) {
      const route = tableRoute(this.#config, told.get(audience(own)) ?? [], own, family);
      if (route) audiences.set(audience(own), route);
    }
    const options: RouteOptions = { audiences };
    this.#options.set(key, options);
    return options;
  }
}

function audience(tables: readonly string[]): string {
  return [...tables].sort().join(' ');
}

/** What of a configuration is seen in routes. */
function announced({ tables, clients, nextHop }: DistributeConfig): unknown {
  return [
    tables.map(({ name, communities, aggregate }) => [name, communities, aggregate]),
    clients.map(({ name, tables: own }) => [name, own]),
    nextHop,
  ];
}
