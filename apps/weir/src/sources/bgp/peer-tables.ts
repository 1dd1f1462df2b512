import type { RouteOptions } from '@weir/bgp/session';
import type { Prefix } from '@weir/wire/inet';
import type { DistributeConfig } from '../../model/distribute.ts';
import type { OwnAnnouncer } from './own-announcer.ts';
import { tableRoute } from './table-route.ts';

export interface PeerTablesOptions {
  readonly announcer: Pick<OwnAnnouncer, 'tablesFrom' | 'retell'>;
  readonly config: DistributeConfig | undefined;
  /** Tables in which a prefix is by what was done here. What clients have contributed is passed on to no distributor, so that nothing goes round between several for ever. */
  readonly tablesOf: (prefix: Prefix) => readonly string[];
}

/** Tables of networks for configured peers, which are told of them beside what is announced by hand. */
export class PeerTables {
  readonly #options: PeerTablesOptions;
  #config: DistributeConfig | undefined;
  /** By family and tables: one value for all prefixes of which the same is so, which are told together then. */
  readonly #routes = new Map<string, ReadonlyMap<string, RouteOptions>>();

  constructor(options: PeerTablesOptions) {
    this.#options = options;
    this.#config = options.config;
    options.announcer.tablesFrom((prefix) => this.#routesOf(prefix));
  }

  /** A prefix is in other tables than before. */
  changed(prefix: Prefix): void {
    if (this.#config?.peers.length) this.#options.announcer.retell(prefix);
  }

  /** Another configuration: `all` are the prefixes. */
  configure(config: DistributeConfig | undefined, all: () => Iterable<{ readonly prefix: Prefix }>): void {
    const before = this.#config;
    this.#config = config;
    if (JSON.stringify(told(before)) === JSON.stringify(told(config))) return;
    this.#routes.clear();
    if (before?.peers.length || config?.peers.length) for (const { prefix } of all()) this.#options.announcer.retell(prefix);
  }

  #routesOf(prefix: Prefix): ReadonlyMap<string, RouteOptions> | undefined {
    const config = this.#config;
    if (!config || config.peers.length === 0) return undefined;
    const tables = this.#options.tablesOf(prefix);
    if (tables.length === 0) return undefined;
    const key = `${prefix.family} ${tables.join(' ')}`;
    const known = this.#routes.get(key);
    if (known) return known;
    const routes = new Map<string, RouteOptions>();
    for (const { peer, tables: own } of config.peers) {
      const route = tableRoute(config, tables, own, prefix.family);
      if (route) routes.set(peer, route);
    }
    this.#routes.set(key, routes);
    return routes;
  }
}

/** What of a configuration is seen in routes. */
function told(config: DistributeConfig | undefined): unknown {
  return (
    config && [
      config.tables.map(({ name, communities }) => [name, communities]),
      config.peers.map(({ peer, tables }) => [peer, tables]),
      config.nextHop,
    ]
  );
}
