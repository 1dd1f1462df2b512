import type { Ip, Prefix } from '@weir/wire/inet';
import { type BlackholeConfig, DEFAULT_BLACKHOLES, type OwnCommunity } from '../../model/blackhole.ts';
import { address, boolean, duration, integer, prefixShape } from '../yaml/leaves.ts';
import { defaulted, type Item, list, optional, required, type Shape, type Table, table } from '../yaml/shape.ts';
import { spanOf } from '../yaml/source-text.ts';
import type { RawChurn } from './raw.ts';
import type { RawMinLength } from './raw-flowspec.ts';
import { churnShape, communityShape, minLengthShape, peerName } from './schema-parts.ts';

const YEAR = 365 * 86_400_000;

/** `blackholes:` as written. */
export interface RawBlackholes {
  announce: Table<RawBlackholeAnnounce> | undefined;
  from_flows: Table<RawFromFlows> | undefined;
}

export interface RawBlackholeAnnounce {
  peers: readonly Item<string>[] | undefined;
  prefixes: readonly Item<Prefix>[] | undefined;
  min_length: Table<RawMinLength> | undefined;
  max_routes: number;
  max_time: number | undefined;
  communities: readonly Item<OwnCommunity>[];
  next_hop: readonly Item<Ip>[];
}

export interface RawFromFlows {
  peers: readonly Item<string>[];
  own: boolean;
  to: readonly Item<string>[] | undefined;
  max_routes: number;
  churn: Table<RawChurn> | undefined;
}

const announce = table<RawBlackholeAnnounce>('announce', {
  peers: required(list(peerName(), { alone: true, atLeastOne: true }), 'The peers that may be told.'),
  prefixes: required(
    list(prefixShape(), { atLeastOne: true }),
    'A route lies in one of these: what is yours, or what the peers let you blackhole (RFC 7999 section 3.3).',
  ),
  min_length: optional(minLengthShape('a prefix', DEFAULT_BLACKHOLES.minLength), 'How much of the network one route may be about.'),
  max_routes: defaulted(
    integer('max_routes', 1, 10_000),
    DEFAULT_BLACKHOLES.maxRoutes,
    String(DEFAULT_BLACKHOLES.maxRoutes),
    'Routes made by `weir blackhole add` at most.',
  ),
  max_time: optional(
    duration('max_time', 1000, YEAR),
    'How long a route made by `weir blackhole add` lasts at most, and where it is not said.',
    'no limit',
  ),
  communities: defaulted(
    list(communityShape(), { alone: true, atLeastOne: true }),
    [],
    '[blackhole, no-export]',
    'What routes carry (RFC 7999 sections 3.2 and 5), or what a peer asks for: `64512:666`.',
  ),
  next_hop: defaulted(
    list(address(), { alone: true }),
    [],
    'the own address of the session',
    'The next hop, of either family or of both. A route of the family that the session is not spoken over needs it.',
  ),
});

const fromFlows = table<RawFromFlows>('from_flows', {
  peers: defaulted(
    list(peerName(), { alone: true }),
    [],
    '[]',
    'The peers whose flow rules become blackhole routes, while they are in force here.',
  ),
  own: defaulted(boolean(), false, 'false', 'Whether rules made by `weir flow add` do.'),
  to: optional(list(peerName(), { alone: true, atLeastOne: true }), 'The peers that are told.', 'the peers of `announce`'),
  max_routes: defaulted(
    integer('max_routes', 1, 10_000),
    DEFAULT_BLACKHOLES.maxRoutes,
    String(DEFAULT_BLACKHOLES.maxRoutes),
    'Routes at most. Rules beyond that wait until there is room.',
  ),
  churn: optional(
    churnShape(100_000, DEFAULT_BLACKHOLES.churn, 'New routes', ''),
    'How fast routes may come; what exceeds it waits. Routes of rules that are gone go at once.',
  ),
});

export const blackholesShape: Shape<Table<RawBlackholes>> = table<RawBlackholes>('blackholes', {
  announce: required(announce, 'Which blackhole routes may be announced, and to whom: by `weir blackhole add` and by `from_flows`.'),
  from_flows: optional(fromFlows, 'Flow rules that discard all packets to one destination, as blackhole routes.', 'none'),
});

/** Undefined when something required is missing: that was reported where it was read. */
export function buildBlackholes(raw: Table<RawBlackholes>): BlackholeConfig | undefined {
  const given = raw.get.announce?.get;
  if (!given?.peers || !given.prefixes) return undefined;
  const { min_length: least, max_routes: maxRoutes, max_time: maxTime, communities, next_hop: nextHops } = given;
  const peers = values(given.peers);
  const flows = raw.get.from_flows?.get;
  const nextHop = (family: 4 | 6): Ip | undefined => nextHops.find(({ value }) => value.family === family)?.value;
  return {
    announce: {
      peers,
      prefixes: values(given.prefixes),
      minLength: least ? { 4: least.get.ipv4, 6: least.get.ipv6 } : DEFAULT_BLACKHOLES.minLength,
      maxRoutes,
      maxTime,
      communities: communities.length > 0 ? values(communities) : DEFAULT_BLACKHOLES.communities,
      nextHop: { 4: nextHop(4), 6: nextHop(6) },
    },
    fromFlows: flows && {
      from: values(flows.peers),
      own: flows.own,
      peers: flows.to ? values(flows.to) : peers,
      maxRoutes: flows.max_routes,
      churn: flows.churn?.get ?? DEFAULT_BLACKHOLES.churn,
    },
    span: spanOf(raw.label),
  };
}

function values<T>(items: readonly Item<T>[]): readonly T[] {
  return items.map(({ value }) => value);
}
