import type { Asn, Ip, Prefix } from '@weir/wire/inet';
import { equalPrefix } from '@weir/wire/inet';
import type { OwnCommunity } from '../../model/blackhole.ts';
import { DEFAULT_DISTRIBUTE, type DistributeConfig } from '../../model/distribute.ts';
import { address, boolean, integer, prefixShape, text } from '../yaml/leaves.ts';
import {
  defaulted,
  type Item,
  leaf,
  list,
  mapping,
  type Named,
  optional,
  quote,
  required,
  type Shape,
  type Table,
  table,
} from '../yaml/shape.ts';
import { spanOf } from '../yaml/source-text.ts';
import { suggest } from '../yaml/suggest.ts';
import type { Report } from '../yaml/tree.ts';
import { asNumber } from './leaves.ts';
import { DEFAULTS, type RawFile, type RawGracefulRestart } from './raw.ts';
import { buildContribute, checkContribute, contributeShape, type RawContribute } from './schema-contribute.ts';
import { communityShape, gracefulRestartShape, peerName } from './schema-parts.ts';

/** `distribute:` as written. */
export interface RawDistribute {
  tables: readonly Named<Table<RawDistributedTable>>[];
  clients: readonly Item<Table<RawDistributeClient>>[];
  peers: readonly Item<Table<RawDistributePeer>>[];
  next_hop: readonly Item<Ip>[];
}

export interface RawDistributedTable {
  communities: readonly Item<OwnCommunity>[] | undefined;
  max_prefixes: number;
  allow_protected: boolean;
  aggregate: boolean;
}

export interface RawDistributeClient {
  name: string | undefined;
  from: readonly Item<Prefix>[] | undefined;
  as: Asn | 'any';
  password_file: string | undefined;
  multihop: number | undefined;
  ttl_security: number | undefined;
  graceful_restart: Table<RawGracefulRestart> | undefined;
  tables: readonly Item<string>[];
  max_sessions: number;
  contribute: readonly Item<Table<RawContribute>>[];
}

interface RawDistributePeer {
  peer: string | undefined;
  tables: readonly Item<string>[];
}

/** Octets of a community in a route, and of those of all tables together: a route has room for them in 4,096. */
const OCTETS = { standard: 4, large: 12 } as const;
const MOST_OCTETS = 2800;
const TABLE_NAME = /^[a-z][a-z0-9_-]{0,31}$/;

const distributed = table<RawDistributedTable>('a table', {
  communities: required(
    list(communityShape(), { alone: true, atLeastOne: true }),
    'What routes of this table carry: `65000:1`, or `64512:1:2` (large). No other table has one of them.',
  ),
  max_prefixes: defaulted(
    integer('max_prefixes', 1, 10_000_000),
    DEFAULT_DISTRIBUTE.maxPrefixes,
    String(DEFAULT_DISTRIBUTE.maxPrefixes),
    'Prefixes at most. What exceeds it is refused.',
  ),
  allow_protected: defaulted(
    boolean(),
    false,
    'false',
    'Whether it may have prefixes that overlap `protected`. Not where the firewalls that get it deny what is in it.',
  ),
  aggregate: defaulted(
    boolean(),
    false,
    'false',
    'Whether its prefixes are announced as the fewest that have the same addresses: two halves as their whole, and none that another one has in it. Clients must accept the shorter lengths.',
  ),
});

/** A number, or `any`. */
function clientAs(): Shape<Asn | 'any'> {
  const number = asNumber();
  return leaf<Asn | 'any'>('AS number or any', (written, value, place, report) =>
    written === 'any' ? 'any' : number.read({ kind: 'scalar', text: written, value, place }, place, report),
  );
}

const client = table<RawDistributeClient>('a client', {
  name: required(peerName(), 'What commands and logs call it. The session of one address of it is `NAME-ADDRESS`.'),
  from: required(
    list(prefixShape(), { alone: true, atLeastOne: true }),
    'Addresses and ranges that it connects from. Of several ranges that have an address the longest counts.',
  ),
  as: defaulted(clientAs(), 'any', 'any', 'Its AS number.'),
  password_file: optional(
    text('a file name', 4096),
    'File whose first line is the TCP MD5 password (RFC 2385) of all of them, at most 80 bytes. Relative to this file.',
  ),
  multihop: optional(integer('multihop', 1, 255), 'TTL of the session.', '1 for eBGP, 64 for iBGP'),
  ttl_security: optional(
    integer('ttl_security', 1, 254),
    'Accept only packets that came over at most this many hops (GTSM, RFC 5082).',
    'off',
  ),
  graceful_restart: optional(
    gracefulRestartShape(
      'Offers long-lived graceful restart (RFC 9494): how long clients that have it keep what they were told after the restart time (docs/scaling.md).',
    ),
    'What clients are asked to keep while Weir is away.',
  ),
  tables: defaulted(
    list(text('a table', 32), { alone: true }),
    [],
    'all',
    'The tables that it may have. Of others it sees nothing, not even a community.',
  ),
  max_sessions: defaulted(
    integer('max_sessions', 1, 100_000),
    DEFAULT_DISTRIBUTE.maxSessions,
    String(DEFAULT_DISTRIBUTE.maxSessions),
    'Sessions of each range at a time.',
  ),
  contribute: defaulted(
    list(contributeShape),
    [],
    '[]',
    'What it may put into tables itself, by announcing routes with their communities. Anything else that it announces is refused and counted.',
  ),
});

const peer = table<RawDistributePeer>('a peer', {
  peer: required(peerName(), 'A peer below `bgp.peers`.'),
  tables: defaulted(list(text('a table', 32), { alone: true }), [], 'all', 'The tables that it may have.'),
});

export const distributeShape: Shape<Table<RawDistribute>> = table<RawDistribute>('distribute', {
  tables: defaulted(
    mapping('tables', distributed, (name, place, report) => {
      if (!TABLE_NAME.test(name))
        report('E018', place, `not a name of a table: ${quote(name)}`, 'small letters, digits, _ and -, at most 32, a letter first');
    }),
    [],
    '{}',
    'Named tables of addresses, and the communities that they are known by.',
  ),
  clients: defaulted(
    list(client),
    [],
    '[]',
    'Who gets them. Clients connect; nothing that they announce is taken but for what `contribute` says.',
  ),
  peers: defaulted(
    list(peer),
    [],
    '[]',
    'Peers that get them too: what this host has put into its own tables, not what clients have contributed to them. So an agent contributes to a distributor.',
  ),
  next_hop: defaulted(
    list(address(), { alone: true }),
    [],
    'the own address of the session',
    'The next hop, of either family or of both. Routes of the family that a session is not spoken over need it.',
  ),
});

/** Undefined when something required is missing: that was reported where it was read. */
export function buildDistribute(
  raw: Table<RawDistribute>,
  readPassword: (item: Item<string>) => string | undefined,
): DistributeConfig | undefined {
  const { tables, clients, peers, next_hop: nextHops } = raw.get;
  const nextHop = (family: 4 | 6): Ip | undefined => nextHops.find(({ value }) => value.family === family)?.value;
  const names = tables.map(({ name }) => name);
  return {
    tables: tables.flatMap(({ name, place, value: { get } }) =>
      get.communities === undefined
        ? []
        : [
            {
              name,
              communities: get.communities.map(({ value }) => value),
              maxPrefixes: get.max_prefixes,
              allowProtected: get.allow_protected,
              aggregate: get.aggregate,
              span: spanOf(place),
            },
          ],
    ),
    clients: clients.flatMap(({ value }) => {
      const {
        name,
        from,
        as,
        password_file: file,
        multihop,
        ttl_security: ttlSecurity,
        graceful_restart: restart,
        tables: own,
        max_sessions: maxSessions,
        contribute,
      } = value.get;
      if (name === undefined || from === undefined) return [];
      return [
        {
          name,
          ranges: from.map((item) => item.value),
          as,
          password: file === undefined ? undefined : readPassword({ value: file, place: value.place('password_file') }),
          multihop,
          ttlSecurity,
          restartTime: restart?.get.restart_time ?? DEFAULTS.restartTime,
          longLivedStaleTime: restart?.get.long_lived_stale_time,
          tables: own.length > 0 ? own.map((item) => item.value) : names,
          maxSessions,
          contribute: contribute.flatMap(buildContribute),
          span: spanOf(value.label),
        },
      ];
    }),
    peers: peers.flatMap(({ value }) => {
      const { peer: name, tables: own } = value.get;
      if (name === undefined) return [];
      return [{ peer: name, tables: own.length > 0 ? own.map((item) => item.value) : names, span: spanOf(value.label) }];
    }),
    nextHop: { 4: nextHop(4), 6: nextHop(6) },
    span: spanOf(raw.label),
  };
}

/** Names that are there once and are there at all, communities that tell tables apart, and ranges that are no peer's. */
export function checkDistribute(raw: RawFile, report: Report): void {
  const { distribute } = raw;
  if (!distribute) return;
  if (raw.bgp && raw.bgp.get.listen.length === 0 && distribute.get.clients.length > 0)
    report('E012', distribute.place('clients'), 'bgp.listen is required: clients connect', 'add listen: [0.0.0.0, "::"] below bgp');
  const known = distribute.get.tables.map(({ name }) => name);
  const owners = new Map<string, string>();
  let octets = 0;
  for (const { name, value } of distribute.get.tables) {
    for (const { value: community, place } of value.get.communities ?? []) {
      octets += OCTETS[community.kind];
      if (octets > MOST_OCTETS && octets - OCTETS[community.kind] <= MOST_OCTETS)
        report(
          'E010',
          place,
          `communities of all tables take more than ${MOST_OCTETS} octets: one route may have them all`,
          'fewer tables, or fewer communities',
        );
      const key = JSON.stringify(community);
      const other = owners.get(key);
      if (other !== undefined) report('E055', place, `the table ${other} has this community`);
      owners.set(key, name);
    }
  }
  const names = new Set((raw.bgp?.get.peers ?? []).map(({ value }) => value.get.name));
  const ranges: { readonly name: string; readonly range: Prefix }[] = [];
  for (const { value } of distribute.get.clients) {
    const { name, from, tables, multihop, ttl_security: ttlSecurity } = value.get;
    if (name !== undefined && names.has(name)) report('E020', value.place('name'), `the name ${quote(name)} is used twice`);
    names.add(name);
    if (multihop !== undefined && ttlSecurity !== undefined)
      report('E026', value.place('ttl_security'), 'ttl_security and multihop exclude each other');
    checkTables(tables, known, report);
    checkContribute(value, known, report);
    for (const { value: range, place } of from ?? []) {
      const same = ranges.find((other) => equalPrefix(other.range, range));
      if (same) report('E055', place, `${same.name} has this range`);
      ranges.push({ name: name ?? '', range });
    }
  }
  checkPeers(raw, known, report);
}

/** Peers that are there, can be told of prefixes, and are named once. */
function checkPeers(raw: RawFile, known: readonly string[], report: Report): void {
  const peers = new Map((raw.bgp?.get.peers ?? []).map(({ value }) => [value.get.name, value]));
  const seen = new Set<string>();
  for (const { value } of raw.distribute?.get.peers ?? []) {
    const { peer: name, tables } = value.get;
    checkTables(tables, known, report);
    if (name === undefined) continue;
    const found = peers.get(name);
    const place = value.place('peer');
    if (seen.has(name)) report('E055', place, `${name} has tables already`);
    seen.add(name);
    if (!found) {
      const near = suggest(
        name,
        [...peers.keys()].flatMap((one) => one ?? []),
      );
      report('E023', place, `there is no peer ${quote(name)}`, near === undefined ? undefined : `did you mean ${near}?`);
      continue;
    }
    if (found.get.via === 'exabgp') report('E026', place, `${name} is a peer of ExaBGP's, which is told nothing`);
    const families = found.get.families.map((item) => String(item.value));
    if (families.length > 0 && !families.some((family) => family.endsWith('unicast')))
      report('E026', place, `no prefixes are spoken of with ${name}`, 'add ipv4 unicast or ipv6 unicast to its families');
  }
}

function checkTables(tables: readonly Item<string>[], known: readonly string[], report: Report): void {
  for (const { value: table, place } of tables) {
    if (known.includes(table)) continue;
    const near = suggest(table, known);
    report('E054', place, `no table is named ${quote(table)}`, near === undefined ? undefined : `did you mean ${near}?`);
  }
}
