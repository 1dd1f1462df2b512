import { type FamilyName, isUnicast, type LargeCommunity, type PathAttributes } from '@weir/bgp/codec';
import { type Announcer, type OutgoingSession, type RouteOptions, StaticRoutes } from '@weir/bgp/session';
import { type Ip, type Prefix, parseIp, printPrefix } from '@weir/wire/inet';
import { FlowAnnouncer } from './flow-announcer.ts';

/** A route of our own to a prefix. */
export interface OwnPrefix {
  readonly prefix: Prefix;
  /** Standard ones as 32-bit numbers. */
  readonly communities: readonly number[];
  readonly largeCommunities: readonly LargeCommunity[];
  /** Our address on the session when undefined. */
  readonly nextHop: Ip | undefined;
  /** Names of the peers that get it. */
  readonly peers: readonly string[];
}

/**
 * All that configured peers are told: flow rules and prefixes of our own, tables of networks, and nothing that was heard of a peer. A session is told the flow rules, then the prefixes, then the end of each of its families.
 */
export class OwnAnnouncer implements Announcer {
  readonly flows: FlowAnnouncer = new FlowAnnouncer();
  readonly #static = new StaticRoutes();
  readonly #sessions = new Map<string, OutgoingSession>();
  readonly #prefixes = new Map<string, Map<number, OwnPrefix>>();
  /** By peer what a prefix is told with because of the tables that it is in. */
  #tables: (prefix: Prefix) => ReadonlyMap<string, RouteOptions> | undefined = () => undefined;

  get prefixes(): readonly OwnPrefix[] {
    return [...this.#prefixes.values()].flatMap((ranks) => [...ranks.values()]);
  }

  /**
   * Several sources may ask for one prefix: the attributes are those of the lowest rank, the peers those of all.
   * RangeError when the attributes are longer than a message has room for; then nothing has changed.
   */
  announce(route: OwnPrefix, rank = 0): void {
    const key = printPrefix(route.prefix);
    const ranks = [...(this.#prefixes.get(key) ?? []), [rank, route] as const].sort(([a], [b]) => a - b);
    const after = new Map(ranks);
    this.#tell(route.prefix, after);
    this.#prefixes.set(key, after);
  }

  /** Where it is asked what peers are told of prefixes because of tables. A peer that is told of a prefix by hand as well gets one route, with the communities of both. */
  tablesFrom(tables: (prefix: Prefix) => ReadonlyMap<string, RouteOptions> | undefined): void {
    this.#tables = tables;
  }

  /** A prefix is in other tables than before. */
  retell(prefix: Prefix): void {
    this.#tell(prefix, this.#prefixes.get(printPrefix(prefix)));
  }

  /** @returns whether there was such a route of this rank */
  withdraw(prefix: Prefix, rank = 0): boolean {
    const key = printPrefix(prefix);
    const ranks = this.#prefixes.get(key);
    if (!ranks?.delete(rank)) return false;
    if (ranks.size === 0) this.#prefixes.delete(key);
    this.#tell(prefix, ranks);
    return true;
  }

  #tell(prefix: Prefix, ranks: ReadonlyMap<number, OwnPrefix> = NONE): void {
    const tables = this.#tables(prefix);
    if (!tables) {
      if (ranks.size > 0) this.#static.announce([prefix], optionsOf(ranks));
      else this.#static.withdraw([prefix]);
      return;
    }
    if (ranks.size === 0) {
      this.#static.announce([prefix], { audiences: tables });
      return;
    }
    const { peers = [], ...own } = optionsOf(ranks);
    const audiences = new Map(tables);
    for (const peer of peers) audiences.set(peer, joinRoutes(own, tables.get(peer)));
    this.#static.announce([prefix], { audiences });
  }

  /** Of the peers of a route those that are told in their present sessions, which carry its family and have a next hop for it. */
  toldTo({ prefix, peers, nextHop }: OwnPrefix): readonly string[] {
    return peers.filter((peer) => {
      const session = this.#sessions.get(peer);
      if (!session?.context.families.includes(prefix.family === 4 ? 'ipv4 unicast' : 'ipv6 unicast')) return false;
      const family = (nextHop ?? parseIp(session.localAddress?.replace(/%.*/, '') ?? ''))?.family;
      return family === prefix.family || (prefix.family === 4 && session.context.extendedNextHop);
    });
  }

  established(session: OutgoingSession): void {
    const { peer } = session;
    this.#sessions.set(peer, session);
    this.flows.established(session);
    const after: OutgoingSession = {
      ...session,
      send: (messages, count) => (this.flows.waits(peer) ? 'full' : session.send(messages, count)),
    };
    this.#static.established(after);
  }

  refresh(peer: string, name: FamilyName): void {
    if (isUnicast(name)) this.#static.refresh(peer, name);
    else this.flows.refresh(peer, name);
  }

  drained(peer: string): void {
    this.flows.drained(peer);
    this.#static.drained(peer);
  }

  down(peer: string): void {
    this.#sessions.delete(peer);
    this.flows.down(peer);
    this.#static.down(peer);
  }
}

const NONE: ReadonlyMap<number, OwnPrefix> = new Map();

/** One route for what two ask for: the next hop is that of the first. */
function joinRoutes(own: RouteOptions, other: RouteOptions | undefined): RouteOptions {
  if (!other) return own;
  const communities = [...new Set([...(own.attributes?.communities ?? []), ...(other.attributes?.communities ?? [])])];
  const largeCommunities = [...(own.attributes?.largeCommunities ?? []), ...(other.attributes?.largeCommunities ?? [])];
  const nextHop = own.nextHop ?? other.nextHop;
  return {
    attributes: {
      ...own.attributes,
      ...(communities.length > 0 ? { communities } : {}),
      ...(largeCommunities.length > 0 ? { largeCommunities } : {}),
    },
    ...(nextHop ? { nextHop } : {}),
  };
}

function optionsOf(ranks: ReadonlyMap<number, OwnPrefix>): RouteOptions {
  const [first] = ranks.values();
  if (!first) return {};
  const { communities, largeCommunities, nextHop } = first;
  const attributes: PathAttributes = {
    ...(communities.length > 0 ? { communities } : {}),
    ...(largeCommunities.length > 0 ? { largeCommunities } : {}),
  };
  const peers = [...new Set([...ranks.values()].flatMap((route) => route.peers))];
  return { attributes, peers, ...(nextHop ? { nextHop: { address: nextHop } } : {}) };
}
