import type { FamilyName } from '@weir/bgp/codec';
import type { BgpConfig, Config, Peer } from '../../model/config.ts';
import type { BaseRules, Border, Firewall } from '../../model/firewall.ts';
import type { NamedSet, SetTarget } from '../../model/named-set.ts';
import type { Policy } from '../../model/policy.ts';
import type { Item, Named, Table } from '../yaml/shape.ts';
import { spanOf } from '../yaml/source-text.ts';
import { buildCumulus } from './build-cumulus.ts';
import { buildEbpf } from './build-ebpf.ts';
import { buildFlowspec } from './build-flowspec.ts';
import { DEFAULTS, type RawBase, type RawBorder, type RawFile, type RawPeer, type RawScope, type RawSet } from './raw.ts';
import { buildBlackholes } from './schema-blackholes.ts';
import { buildDistribute } from './schema-distribute.ts';
import { buildFeeds } from './schema-feeds.ts';

/** Reads a password file relative to the configuration; reports and returns undefined when it cannot be used. */
export type ReadPassword = (item: Item<string>) => string | undefined;

const ALL_FAMILIES: readonly FamilyName[] = ['ipv4 unicast', 'ipv6 unicast'];

/**
 * A whole configuration from a file that was read key by key, with every default filled in. Undefined when a required value is missing or
 * unusable: that was reported where it was read.
 */
export function buildConfig(fileName: string, raw: RawFile, policy: Policy | undefined, readPassword: ReadPassword): Config | undefined {
  const bgp = buildBgp(raw, readPassword);
  const scope = buildScope(raw, policy);
  if (!bgp || !scope) return undefined;
  const distribute = raw.distribute && buildDistribute(raw.distribute, readPassword);
  const clients = distribute?.clients.flatMap(({ name, ranges }) => ranges.map((range) => ({ name, range })));
  const c = raw.convergence?.get ?? DEFAULTS.convergence;
  return {
    file: fileName,
    bgp: clients ? { ...bgp, clients } : bgp,
    ...scope,
    ebpf: buildEbpf(raw.ebpf?.get),
    ...(raw.flowspec ? { flowspec: buildFlowspec(raw.flowspec, values(raw.protected)) } : {}),
    ...(raw.blackholes ? { blackholes: buildBlackholes(raw.blackholes) } : {}),
    ...(distribute ? { distribute } : {}),
    ...(raw.feeds.length > 0 ? { feeds: buildFeeds(raw.feeds, fileName) } : {}),
    ...(raw.cumulus ? { cumulus: buildCumulus(raw.cumulus) } : {}),
    ...(raw.observe ? { observe: { nflog: raw.observe.get.nflog, logGroup: raw.observe.get.log_group } } : {}),
    ...(raw.exabgp
      ? { exabgp: { socket: raw.exabgp.get.socket, user: raw.exabgp.get.user, onNoRefresh: raw.exabgp.get.on_no_refresh } }
      : {}),
    protected: values(raw.protected),
    convergence: { settle: c.settle, settleWithoutRestart: c.settle_without_restart, startupHold: c.startup_hold },
    stateDirectory: raw.state_directory,
    socket: raw.socket,
    netns: raw.netns,
    tenants: [],
    faultyTenants: [],
  };
}

/** The rules and sets of a configuration or of a tenant; undefined as above. */
export function buildScope(raw: RawScope, policy: Policy | undefined): Pick<Config, 'sets' | 'firewall' | 'policy'> | undefined {
  const sets = raw.sets.map(buildSet);
  const firewall = raw.firewall ? buildFirewall(raw.firewall.get) : undefined;
  return !every(sets) || (raw.firewall && !firewall) ? undefined : { sets, firewall, policy };
}

function buildBgp(raw: RawFile, readPassword: ReadPassword): BgpConfig | undefined {
  const bgp = raw.bgp?.get;
  if (!bgp) return undefined;
  const peers = bgp.peers.map((item) => buildPeer(item, bgp.as, readPassword));
  if (bgp.as === undefined || bgp.router_id === undefined || !every(peers)) return undefined;
  return { as: bgp.as, routerId: bgp.router_id, hostname: bgp.hostname, listen: values(bgp.listen), peers };
}

function buildPeer(item: Item<Table<RawPeer>>, globalAs: Peer['as'] | undefined, readPassword: ReadPassword): Peer | undefined {
  const p = item.value.get;
  const password =
    p.password_file === undefined ? undefined : readPassword({ value: p.password_file, place: item.value.place('password_file') });
  const localAs = p.local_as ?? globalAs;
  if (p.name === undefined || p.address === undefined || p.as === undefined || localAs === undefined) return undefined;
  const max = p.max_prefixes?.get;
  return {
    name: p.name,
    address: p.address,
    port: p.port,
    localAs,
    as: p.as,
    families: p.families.length > 0 ? [...new Set(values(p.families))] : ALL_FAMILIES,
    holdTime: p.hold_time,
    passive: p.passive,
    source: p.source,
    interface: p.interface,
    password,
    ttlSecurity: p.ttl_security,
    multihop: p.multihop,
    restartTime: p.graceful_restart?.get.restart_time ?? DEFAULTS.restartTime,
    longLivedStaleTime: p.graceful_restart?.get.long_lived_stale_time,
    addPath: p.add_path,
    extendedMessage: p.extended_message,
    role: p.role,
    roleStrict: p.role_strict,
    maxPrefixes:
      max?.limit === undefined ? undefined : { limit: max.limit, warnAt: max.warn_at, action: max.action, restartAfter: max.restart_after },
    flowValidation: p.flow_validation ?? (p.as === localAs ? 'off' : 'strict'),
    keepAll: p.keep_all,
    ...(p.via === 'exabgp' ? { via: p.via } : {}),
    span: spanOf(item.value.label),
  };
}

function buildSet(entry: Named<Table<RawSet>>): NamedSet | undefined {
  const s = entry.value.get;
  if (s.kind === undefined || s.communities === undefined) return undefined;
  const guard = s.guard?.get;
  const target = buildTarget(s);
  if (!target) return undefined;
  const lengths = guard?.lengths?.get ?? DEFAULTS.lengths;
  return {
    name: entry.name,
    kind: s.kind,
    communities: values(s.communities),
    guard: {
      peers: guard?.peers && values(guard.peers),
      prefixes: guard?.prefixes && values(guard.prefixes),
      ...(guard?.prefixes_of ? { prefixesOf: guard.prefixes_of.map(({ name: peer, value }) => ({ peer, prefixes: values(value) })) } : {}),
      lengths: { 4: lengths.ipv4, 6: lengths.ipv6 },
      maxMembers: guard?.max_members ?? DEFAULTS.maxMembers,
      churn: guard?.churn?.get ?? DEFAULTS.churn,
    },
    onSessionLoss: s.on_session_loss ?? { kind: 'hold-forever' },
    onWithdraw: s.on_withdraw,
    target,
    span: spanOf(entry.place),
  };
}

function buildTarget(s: RawSet): SetTarget | undefined {
  if (!s.nft) return { kind: 'owned' };
  const { family, table, ipv4, ipv6 } = s.nft.get;
  return table === undefined ? undefined : { kind: 'user', family, table, ipv4, ipv6 };
}

function buildFirewall(raw: {
  table: string;
  base: Table<RawBase> | undefined;
  borders: readonly Item<Table<RawBorder>>[];
}): Firewall | undefined {
  const borders = raw.borders.map((item) => buildBorder(item.value));
  if (!every(borders)) return undefined;
  const base = raw.base?.get;
  const rules: BaseRules = {
    loopback: base?.loopback ?? true,
    established: base?.established ?? true,
    neighbourDiscovery: base?.neighbour_discovery ?? true,
    multicastListener: base?.multicast_listener ?? true,
    pathMtu: base?.path_mtu ?? true,
    dhcpClient: base?.dhcp_client ?? true,
    bgpPeers: base?.bgp_peers ?? true,
  };
  return { table: raw.table, base: rules, borders };
}

function buildBorder(t: Table<RawBorder>): Border | undefined {
  const b = t.get;
  if (b.name === undefined || !b.from || !b.to) return undefined;
  const allow = b.allow.map(({ value }) =>
    value.get.set === undefined
      ? undefined
      : { set: value.get.set, protocol: value.get.protocol, ports: values(value.get.ports), span: spanOf(value.place('set')) },
  );
  if (!every(allow)) return undefined;
  return {
    name: b.name,
    from: values(b.from),
    to: isLocal(b.to) ? 'local' : values(b.to),
    deny: b.deny.map((item) => ({ set: item.value, span: spanOf(item.place) })),
    allow,
    established: b.established,
    default: b.default,
    span: spanOf(t.place('name')),
  };
}

/** Whether `to` is this host itself. */
export function isLocal(to: readonly Item<string>[]): boolean {
  return to.length === 1 && to[0]?.value === 'local';
}

function values<T>(items: readonly Item<T>[]): readonly T[] {
  return items.map((item) => item.value);
}

function every<T>(items: readonly (T | undefined)[]): items is readonly T[] {
  return items.every((item) => item !== undefined);
}
