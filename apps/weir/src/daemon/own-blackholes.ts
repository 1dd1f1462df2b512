import { printCommunity, printLargeCommunity } from '@weir/bgp/codec';
import { covers, type Ip, type Prefix, parseIp, parsePrefix, printIp, printPrefix } from '@weir/wire/inet';
import * as z from 'zod/mini';
import { ApiError, type Caller, type OwnBlackholeSummary, type Params, type PrefixSummary } from '../api/index.ts';
import type { BlackholeAnnounce, OwnCommunity } from '../model/blackhole.ts';
import type { Config } from '../model/config.ts';
import type { OwnAnnouncer, OwnPrefix } from '../sources/bgp/index.ts';
import { parseOwnCommunity } from '../sources/config/index.ts';
import { type Kept, OwnStore, readKept, summarizeKept } from './own-store.ts';

const shape = z.object({
  prefix: z.string(),
  communities: z.optional(z.array(z.string())),
  next_hop: z.optional(z.string()),
});

interface Own extends Kept {
  readonly prefix: Prefix;
  /** Undefined: what the configuration says. */
  readonly communities: readonly OwnCommunity[] | undefined;
  readonly nextHop: Ip | undefined;
}

export interface OwnBlackholesOptions {
  readonly announcer: OwnAnnouncer;
  readonly stateDirectory: string;
  readonly config: () => Config;
  /** Whether a prefix shares an address with what is protected, this host or a peer. */
  readonly isProtected: (prefix: Prefix) => boolean;
  readonly onError: (error: Error) => void;
}

/** Blackhole routes of our own (RFC 7999), made by hand. */
export class OwnBlackholes {
  readonly #options: OwnBlackholesOptions;
  readonly #store: OwnStore<Own>;

  /** Reads those of before. */
  constructor(options: OwnBlackholesOptions) {
    this.#options = options;
    const { stateDirectory, onError } = options;
    this.#store = new OwnStore({
      stateDirectory,
      file: 'own-blackholes.json',
      list: 'blackholes',
      what: 'blackhole routes',
      keyOf: ({ prefix }) => printPrefix(prefix),
      encode: ({ prefix, communities, nextHop, ...rest }) => ({
        prefix: printPrefix(prefix),
        ...(communities ? { communities: communities.map(printOwnCommunity) } : {}),
        ...(nextHop ? { next_hop: printIp(nextHop) } : {}),
        ...rest,
      }),
      decode: readOwn,
      changed: (key, own) => {
        if (own) this.#announce(own);
        else options.announcer.withdraw(prefixOf(key));
      },
      onError,
    });
    this.configured();
  }

  /** Announces what the configuration allows now, and nothing else. */
  configured(): void {
    for (const own of this.#store.values()) this.#announce(own);
    this.#store.expire();
  }

  /** @throws ApiError when it is refused: then nothing has changed */
  add(params: Params<'blackhole-add'>, by: Caller): OwnBlackholeSummary {
    const announce = this.#options.config().blackholes?.announce;
    if (!announce) throw refused('blackholes.announce is not configured: it names the peers that may be told, and the prefixes');
    const prefix = prefixOf(params.prefix);
    const nextHop = params.next_hop === undefined ? undefined : ipOf(params.next_hop);
    const until = params.until ?? (announce.maxTime === undefined ? undefined : Date.now() + announce.maxTime);
    const { peers, comment } = params;
    const own: Own = { prefix, communities: params.communities?.map(communityOf), nextHop, peers, since: Date.now(), until, comment, by };
    this.#check(own, announce, params.allow_protected ?? false);
    this.#store.put(own);
    return this.#summarize(own);
  }

  /** @throws ApiError when there is no such route */
  delete(params: Params<'blackhole-delete'>): string {
    const key = printPrefix(prefixOf(params.prefix));
    if (!this.#store.has(key)) throw new ApiError('not-found', `no blackhole route of our own is ${key}`);
    this.#store.remove([key]);
    return key;
  }

  list(): readonly OwnBlackholeSummary[] {
    return this.#store.values().map((own) => this.#summarize(own));
  }

  close(): void {
    this.#store.close();
  }

  #check(own: Own, announce: BlackholeAnnounce, allowProtected: boolean): void {
    const { prefix, nextHop, until, peers = announce.peers } = own;
    const text = printPrefix(prefix);
    const least = announce.minLength[prefix.family];
    const now = Date.now();
    if (!announce.prefixes.some((outer) => covers(outer, prefix))) throw refused(`${text} is not in blackholes.announce.prefixes`);
    if (prefix.length < least) throw refused(`${text} is shorter than ${least} bits (blackholes.announce.min_length.ipv${prefix.family})`);
    if (!allowProtected && this.#options.isProtected(prefix))
      throw refused(`${text} has addresses that are protected, or of this host or its peers: --allow-protected announces it all the same`);
    const unknown = peers.find((peer) => !announce.peers.includes(peer));
    if (unknown !== undefined) throw refused(`blackholes.announce.peers does not name ${unknown}`);
    const full = !this.#store.has(text) && this.#store.size >= announce.maxRoutes;
    if (full) throw refused(`${announce.maxRoutes} blackhole routes are announced (blackholes.announce.max_routes): delete one first`);
    if (until !== undefined && until <= now) throw refused('its time is over already');
    // A second for the way here.
    if (announce.maxTime !== undefined && until !== undefined && until > now + announce.maxTime + 1000)
      throw refused(`it may last ${announce.maxTime / 1000} s (blackholes.announce.max_time)`);
    if (nextHop && nextHop.family !== prefix.family && prefix.family === 6)
      throw new ApiError('bad-request', `the next hop ${printIp(nextHop)} is none of an IPv6 route`);
    if (nextHop ?? announce.nextHop[prefix.family]) return;
    const bare = this.#options.config().bgp.peers.find(({ name, address }) => peers.includes(name) && address.family < prefix.family);
    if (bare) throw refused(`${bare.name} is spoken with over IPv4: an IPv6 route needs --next-hop or blackholes.announce.next_hop`);
  }

  #routeOf({ prefix, communities, nextHop, peers }: Own): OwnPrefix {
    const announce = this.#options.config().blackholes?.announce;
    const allowed = announce?.peers ?? [];
    const inside = announce?.prefixes.some((outer) => covers(outer, prefix)) ?? false;
    const told = inside ? (peers?.filter((peer) => allowed.includes(peer)) ?? allowed) : [];
    return ownPrefix(prefix, communities ?? announce?.communities ?? [], nextHop ?? announce?.nextHop[prefix.family], told);
  }

  #announce(own: Own): void {
    this.#options.announcer.announce(this.#routeOf(own));
  }

  #summarize(own: Own): OwnBlackholeSummary {
    const route = this.#routeOf(own);
    return {
      ...summarizePrefix(route),
      peers: route.peers,
      told: this.#options.announcer.toldTo(route),
      ...summarizeKept(own),
    };
  }
}

/** A route as it is announced. */
export function ownPrefix(
  prefix: Prefix,
  communities: readonly OwnCommunity[],
  nextHop: Ip | undefined,
  peers: readonly string[],
): OwnPrefix {
  return {
    prefix,
    communities: communities.flatMap((one) => (one.kind === 'standard' ? [one.value] : [])),
    largeCommunities: communities.flatMap((one) => (one.kind === 'large' ? [one.value] : [])),
    nextHop,
    peers,
  };
}

export function summarizePrefix({ prefix, communities, largeCommunities, nextHop }: OwnPrefix): PrefixSummary {
  return {
    prefix: printPrefix(prefix),
    communities: [...communities.map(printCommunity), ...largeCommunities.map(printLargeCommunity)],
    ...(nextHop ? { next_hop: printIp(nextHop) } : {}),
  };
}

function readOwn(value: unknown): Own {
  const { prefix, communities, next_hop: nextHop } = shape.parse(value);
  return {
    ...readKept(value),
    prefix: prefixOf(prefix),
    communities: communities?.map(communityOf),
    nextHop: nextHop === undefined ? undefined : ipOf(nextHop),
  };
}

function refused(message: string): ApiError {
  return new ApiError('refused', message);
}

/** An address by itself is a host. */
function prefixOf(text: string): Prefix {
  const ip = parseIp(text);
  const result = parsePrefix(ip ? `${text}/${ip.family === 4 ? 32 : 128}` : text);
  if (result.ok) return result.prefix;
  throw new ApiError('bad-request', `not a prefix: ${text}: ${result.error.message}`);
}

function ipOf(text: string): Ip {
  const ip = parseIp(text);
  if (!ip) throw new ApiError('bad-request', `not an address: ${text}`);
  return ip;
}

function communityOf(text: string): OwnCommunity {
  const found = parseOwnCommunity(text);
  if (!found) throw new ApiError('bad-request', `not a community: ${text}: write AS:VALUE, AS:A:B (large) or a name such as blackhole`);
  return found;
}

/** `64512:666`, `64512:1:2`. */
export function printOwnCommunity(one: OwnCommunity): string {
  return one.kind === 'standard' ? printCommunity(one.value) : printLargeCommunity(one.value);
}
