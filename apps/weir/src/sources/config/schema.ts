import type { FamilyName } from '@weir/bgp/codec';
import { address, boolean, duration, integer, name, portRange, prefixShape, share, text, word } from '../yaml/leaves.ts';
import {
  defaulted,
  type KeyDoc,
  list,
  mapping,
  optional,
  quote,
  required,
  type Shape,
  type ShapeDoc,
  type Table,
  table,
} from '../yaml/shape.ts';
import type { ConfigNode } from '../yaml/tree.ts';
import { asNumber, communityPattern, lengthRange, listenAddress, routerId, sessionLoss } from './leaves.ts';
import {
  DEFAULTS,
  type RawAllow,
  type RawBase,
  type RawBgp,
  type RawBorder,
  type RawConvergence,
  type RawExabgp,
  type RawFile,
  type RawFirewall,
  type RawGuard,
  type RawLengths,
  type RawMaxPrefixes,
  type RawNft,
  type RawObserve,
  type RawPeer,
  type RawSet,
  type RawTenant,
} from './raw.ts';
import { blackholesShape } from './schema-blackholes.ts';
import { cumulusShape } from './schema-cumulus.ts';
import { distributeShape } from './schema-distribute.ts';
import { ebpfShape } from './schema-ebpf.ts';
import { feedsShape } from './schema-feeds.ts';
import { flowspecShape } from './schema-flowspec.ts';
import { churnShape, gracefulRestartShape, peerName } from './schema-parts.ts';

const DAY = 86_400_000;
const setName = (): Shape<string> => name('a set name', /^[a-z0-9_]+$/, 'small letters, digits and _', 64);
const nftName = (): Shape<string> =>
  name('an nf_tables name', /^[A-Za-z][A-Za-z0-9_./\\]*$/, 'a letter, then letters, digits, _ . / and \\', 128);
const interfaceName = (): Shape<string> =>
  name('an interface', /^[^\s/:*\p{Cc}]{1,15}\*?$/u, 'an interface name, or the start of names and *', 15);

const gracefulRestart = gracefulRestartShape(
  "Offers long-lived graceful restart (RFC 9494) with this time, and bounds the time that the peer asks for. Sets with `hold long-lived` keep a lost peer's routes that long after its restart time; other sets go by their own `on_session_loss`.",
);

const maxPrefixes = table<RawMaxPrefixes>('max_prefixes', {
  limit: required(integer('limit', 1, 100_000_000), 'Prefixes that the peer may announce, per family.'),
  warn_at: defaulted(share('warn_at'), 0.75, '75%', 'Share of the limit at which a warning is given.'),
  action: defaulted(
    word('an action', ['warn', 'block', 'restart']),
    'block',
    'block',
    'At the limit: only warn; take no further prefixes (`block`); or close the session and try again (`restart`).',
  ),
  restart_after: defaulted(duration('restart_after', 1000, DAY), 300_000, '5m', 'When a session that `restart` closed is tried again.'),
});

const peer = table<RawPeer>('a peer', {
  name: required(peerName(), 'What guards, commands and logs call the peer.'),
  address: required(address(), 'The address that Weir connects to and accepts the peer from.'),
  as: required(asNumber(), "The peer's AS number; the same as the local one makes the session iBGP."),
  port: defaulted(integer('port', 1, 65535), 179, '179', 'The TCP port of the peer.'),
  local_as: optional(asNumber(), 'The AS number that Weir shows to this peer.', 'bgp.as'),
  families: defaulted(
    list(word<FamilyName>('an address family', ['ipv4 unicast', 'ipv6 unicast', 'ipv4 flow', 'ipv6 flow'])),
    [],
    '[ipv4 unicast, ipv6 unicast]',
    'What is exchanged over the session, whichever address it runs over.',
  ),
  hold_time: defaulted(
    integer('hold_time', 0, 65535),
    90,
    '90',
    'Seconds without a message until the session is lost; 0 is never. 1 and 2 are not allowed.',
  ),
  passive: defaulted(boolean(), false, 'false', 'Wait for the peer to connect; needs `bgp.listen`.'),
  source: optional(address('source address'), 'Local address to connect from.', 'chosen by the system'),
  interface: optional(
    name('an interface', /^[^\s/:*\p{Cc}]+$/u, 'an interface name', 15),
    'Interface to bind the session to; needed for link-local peers.',
  ),
  password_file: optional(
    text('a file name', 4096),
    'File whose first line is the TCP MD5 password (RFC 2385), at most 80 bytes. Relative to this file.',
  ),
  ttl_security: optional(
    integer('ttl_security', 1, 254),
    'Accept only packets that came over at most this many hops (GTSM, RFC 5082).',
    'off',
  ),
  multihop: optional(integer('multihop', 1, 255), 'TTL of the session.', '1 for eBGP, 64 for iBGP'),
  graceful_restart: optional(gracefulRestart, 'Graceful restart, which Weir always offers.'),
  add_path: defaulted(boolean(), false, 'false', 'Receive several paths of a prefix (RFC 7911).'),
  extended_message: defaulted(boolean(), true, 'true', 'Messages of up to 65535 bytes (RFC 8654).'),
  role: optional(word('a role', ['provider', 'rs', 'rs-client', 'customer', 'peer']), 'The role of this side (RFC 9234).', 'none'),
  role_strict: defaulted(boolean(), false, 'false', 'Refuse a peer that does not state its role.'),
  max_prefixes: optional(maxPrefixes, 'How much the peer may announce.', 'no limit'),
  flow_validation: optional(
    word('how flow rules are validated', ['strict', 'origin', 'off']),
    'How flow rules have to be founded on unicast routes (RFC 8955 section 6, RFC 9117). `strict`: the best route to the destination is from who announces the rule, both begin with the same AS, and no longer prefix is from another AS. `origin`: the first of these. The unicast routes of all peers are kept then.',
    '`strict` for eBGP, `off` for iBGP',
  ),
  keep_all: defaulted(boolean(), false, 'false', 'Keep every route for `weir routes`, not only those that a set asks for. Costs memory.'),
  via: defaulted(
    word('a speaker', ['weir', 'exabgp']),
    'weir',
    'weir',
    'Who holds the session: Weir, or an ExaBGP that hands over what the peer says (docs/exabgp.md).',
  ),
});

const bgp = table<RawBgp>('bgp', {
  as: required(asNumber(), 'The local AS number.'),
  router_id: required(routerId(), 'The BGP identifier, written as an IPv4 address.'),
  hostname: optional(text('a host name', 64), 'Name sent to the peers (FQDN capability).', 'none'),
  listen: defaulted(list(listenAddress(179), { alone: true }), [], '[]', 'Where sessions are accepted. Without it Weir only connects.'),
  peers: defaulted(list(peer), [], '[]', 'The neighbours.'),
});

const guard = table<RawGuard>('guard', {
  peers: optional(list(peerName(), { atLeastOne: true }), 'The peers that may fill the set. Required for an allow set.', 'every peer'),
  prefixes: optional(
    list(prefixShape(), { atLeastOne: true }),
    'A member must lie in one of these. Required for an allow set.',
    'anywhere',
  ),
  prefixes_of: optional(
    mapping('prefixes_of', list(prefixShape(), { atLeastOne: true }), () => undefined),
    'What each of these peers may fill the set with, by its name: `customer-a: [203.0.113.0/25]`. Of `prefixes`, where that is said too; peers that are not named go by `prefixes` alone.',
    'anywhere',
  ),
  lengths: optional(
    table<RawLengths>('lengths', {
      ipv4: defaulted(lengthRange(4), DEFAULTS.lengths.ipv4, '8..32', 'Prefix lengths that an IPv4 member may have.'),
      ipv6: defaulted(lengthRange(6), DEFAULTS.lengths.ipv6, '16..128', 'Prefix lengths that an IPv6 member may have.'),
    }),
    'Prefix lengths that a member may have.',
  ),
  max_members: defaulted(
    integer('max_members', 1, 10_000_000),
    DEFAULTS.maxMembers,
    String(DEFAULTS.maxMembers),
    'Members over both families. When the set is full, what is installed stays and what comes is refused.',
  ),
  churn: optional(churnShape(10_000_000, DEFAULTS.churn, 'Changes'), 'How fast one peer may change the set; what exceeds it waits.'),
});

const nft = table<RawNft>('nft', {
  family: defaulted(word('a table family', ['inet', 'ip', 'ip6']), 'inet', 'inet', 'Family of the table.'),
  table: required(nftName(), "The user's table."),
  ipv4: optional(nftName(), 'Set of that table for IPv4 members.', 'IPv4 members are not installed'),
  ipv6: optional(nftName(), 'Set of that table for IPv6 members.', 'IPv6 members are not installed'),
});

const set = table<RawSet>('a set', {
  kind: required(word('a kind of set', ['allow', 'deny']), '`allow`: members are let through. `deny`: members are dropped.'),
  communities: required(
    list(communityPattern(), { alone: true, atLeastOne: true }),
    'A route with one of these fills the set. `*` may stand for any field.',
  ),
  guard: optional(guard, 'Who may fill the set, and with what.'),
  on_session_loss: optional(
    sessionLoss(),
    'What the loss of a session does to its members: gone at once; kept that long; kept until the peer is back; or kept for the times that graceful and long-lived graceful restart agreed on with the peer (none of them: gone at once). Required for an allow set.',
    'hold forever',
  ),
  on_withdraw: defaulted(
    word('what a withdrawal can do', ['keep', 'cut']),
    'keep',
    'keep',
    'Whether the established connections of a closed member go on (`keep`), or are cut off (`cut`): their conntrack entries are deleted and, in a table that Weir owns, what the service still sends is dropped.',
  ),
  nft: optional(nft, "Sets of the user's own table that are filled.", 'a set of the table that Weir owns (`firewall`)'),
});

const base = table<RawBase>('base', {
  loopback: defaulted(boolean(), true, 'true', 'Everything on the loopback interface.'),
  established: defaulted(boolean(), true, 'true', 'Replies to connections of this host.'),
  neighbour_discovery: defaulted(boolean(), true, 'true', 'IPv6 neighbour discovery, without which IPv6 does not work.'),
  multicast_listener: defaulted(boolean(), true, 'true', 'IPv6 multicast listener discovery.'),
  path_mtu: defaulted(boolean(), true, 'true', 'ICMP errors that path MTU discovery needs.'),
  dhcp_client: defaulted(boolean(), true, 'true', 'Answers to a DHCP client on this host.'),
  bgp_peers: defaulted(boolean(), true, 'true', 'BGP from the configured peers.'),
});

const allow = table<RawAllow>('an allow entry', {
  set: required(setName(), 'Destinations in this set are accepted.'),
  protocol: defaulted(word('a protocol', ['tcp', 'udp', 'icmp', 'any']), 'tcp', 'tcp', 'Protocol that is accepted.'),
  ports: defaulted(list(portRange(), { alone: true }), [], 'every port', 'Destination ports, alone or as ranges.'),
});

const border = table<RawBorder>('a border', {
  name: required(name('a border name', /^[a-z0-9_]+$/, 'small letters, digits and _', 32), 'What rules and counters call the border.'),
  from: required(
    list(interfaceName(), { alone: true, atLeastOne: true }),
    'Interfaces that traffic comes from; a trailing `*` is a wildcard.',
  ),
  to: required(list(interfaceName(), { alone: true, atLeastOne: true }), 'Interfaces that it goes to, or `local` for this host.'),
  deny: defaulted(list(setName(), { alone: true }), [], '[]', 'Deny sets: sources in them are dropped first.'),
  allow: defaulted(list(allow), [], '[]', 'What is accepted.'),
  established: defaulted(boolean(), true, 'true', 'Accept established and related traffic.'),
  default: defaulted(word('a default', ['drop', 'accept']), 'drop', 'drop', 'What happens to the rest.'),
});

const firewall = table<RawFirewall>('firewall', {
  table: defaulted(nftName(), 'weir', 'weir', 'Name of the `inet` table that Weir owns and writes whole.'),
  base: optional(base, 'What a host needs to stay on the network, accepted before a default deny. Each can be switched off.'),
  borders: defaulted(list(border), [], '[]', 'Traffic from one side to another.'),
});

const convergence = table<RawConvergence>('convergence', {
  settle: defaulted(
    duration('settle', 0, DAY),
    DEFAULTS.convergence.settle,
    '30s',
    'Quiet time after End-of-RIB until a peer has converged.',
  ),
  settle_without_restart: defaulted(
    duration('settle_without_restart', 0, DAY),
    DEFAULTS.convergence.settle_without_restart,
    '10s',
    'The same where the peer offers no graceful restart.',
  ),
  startup_hold: defaulted(
    duration('startup_hold', 0, 7 * DAY),
    DEFAULTS.convergence.startup_hold,
    '5m',
    'How long members found at start stay in allow sets when no peer has converged.',
  ),
});

const scope = {
  sets: defaulted(
    mapping('sets', set, (key, place, report) => {
      if (!/^[a-z0-9_]{1,64}$/.test(key))
        report('E018', place, `${quote(key)} is not a set name`, 'small letters, digits and _, at most 64 characters');
    }),
    [],
    '{}',
    'Named sets, filled by routes.',
  ),
  firewall: optional(firewall, 'A table that Weir owns.', 'none'),
  policy: optional(
    list(text('a file name', 4096), { alone: true, atLeastOne: true }),
    'Policy files (docs/policy.md), judged as one policy in the table that Weir owns; a `*` in the last part of the name matches many. Relative to this file. Expressions may name the sets that have no `nft`.',
    'none',
  ),
};

const observe = table<RawObserve>('observe', {
  nflog: defaulted(
    boolean(),
    true,
    'true',
    'Whether the daemon reads the packets that rules log; one process at a time can. `false` leaves them to ulogd, tcpdump and others.',
  ),
  log_group: defaulted(integer('log_group', 0, 65535), 64, '64', 'The nfnetlink_log group that rules of nf_tables log to.'),
});

const exabgp = table<RawExabgp>('exabgp', {
  socket: optional(
    text('a path', 4096),
    'A socket on which `weir exabgp` may hand over what it hears, and nothing else. It belongs to `user`.',
    'none',
  ),
  user: optional(
    name('a user', /^[a-z_0-9][a-z0-9_-]*\$?$/, 'the name of a user, or its number', 32),
    "The user that ExaBGP's processes run as, who may hand over besides root and the user of the daemon.",
    'nobody else',
  ),
  on_no_refresh: defaulted(
    word('what can be done', ['reset', 'wait']),
    'reset',
    'reset',
    'A session that was up before Weir listened and whose peer does not send its routes again when it is asked (RFC 7313): end it once, so that it does (`reset`), or go without until its next session (`wait`).',
  ),
});

const netns = (): Shape<string> => text('a network namespace', 4096);

const tenant = table<RawTenant>('a tenant', {
  netns: required(netns(), 'Its network namespace, by name or path; no two tenants have the same.'),
  config: optional(
    text('a file name', 4096),
    "A file with more of the tenant's keys; a mistake in it is that tenant's alone, even when it is no YAML. Relative to this file.",
    'none',
  ),
  interfaces: optional(
    list(interfaceName(), { alone: true, atLeastOne: true }),
    'The interfaces that its rules may name, besides `lo`; a trailing `*` is a wildcard.',
    'any',
  ),
  ...scope,
});

/** What the top level has too is described there. */
function shallow(key: KeyDoc): KeyDoc {
  return key.key in scope && key.shape.type.startsWith('mapping') ? { ...key, shape: { type: 'as at the top level' } } : key;
}

/** Bytes of a tenant's name, which is also that of a directory. */
const TENANT_NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;

/** Names of tenants; their values are read by `tenantShape`, each by itself. */
const tenants: Shape<ConfigNode> = {
  doc: { type: 'mapping by name', inner: { ...tenant.doc, keys: (tenant.doc.keys ?? []).map(shallow) } },
  read(node, label, report) {
    const names = mapping('tenants', { doc: tenant.doc, read: (value) => value }, (key, place, complain) => {
      if (!TENANT_NAME.test(key))
        complain('E018', place, `${quote(key)} is not a tenant name`, 'small letters, digits, _ and -, at most 32 characters');
    }).read(node, label, report);
    return names && node;
  },
};

const file: Shape<Table<RawFile>> = table<RawFile>('the configuration', {
  include: defaulted(
    list(text('a file name', 4096), { alone: true }),
    [],
    '[]',
    'Further files with `sets`, `bgp.peers`, `firewall.borders`, `protected` and `tenants`; a `*` in the last part of the name matches many. Relative to this file.',
  ),
  bgp: required(bgp, 'The BGP speaker.'),
  ...scope,
  ebpf: optional(ebpfShape, 'What the rules of the hooks `xdp`, `tc` and `connect` are attached to (docs/ebpf.md).', 'attached to nothing'),
  flowspec: optional(flowspecShape, 'What becomes of flow rules that peers announce (docs/flowspec-enforcement.md).', 'none are enforced'),
  blackholes: optional(blackholesShape, 'Blackhole routes that Weir announces (docs/blackholes.md).', 'none'),
  distribute: optional(distributeShape, 'Tables of addresses that other firewalls get (docs/distribute.md).', 'nothing is distributed'),
  feeds: defaulted(feedsShape, [], '[]', 'Lists that are pulled into these tables from files and servers (docs/feeds.md).'),
  cumulus: optional(
    cumulusShape,
    'The ACL file of a switch that runs Cumulus Linux, to which the rules are written as well (docs/cumulus.md).',
    'none',
  ),
  observe: optional(observe, 'Packets that rules of nf_tables log (docs/observing.md).', 'read from group 64'),
  exabgp: optional(exabgp, 'Peers with `via: exabgp` (docs/exabgp.md).', 'as with nothing in it'),
  protected: defaulted(list(prefixShape()), [], '[]', 'Deny sets never cover these.'),
  convergence: optional(convergence, 'When what a peer has not announced again is taken out.'),
  state_directory: defaulted(text('a directory', 4096), '/var/lib/weir', '/var/lib/weir', 'Where the ledger and saved sets are kept.'),
  socket: defaulted(text('a path', 4096), '/run/weir/weir.sock', '/run/weir/weir.sock', 'The control socket.'),
  netns: optional(netns(), 'Network namespace (name or path) whose nf_tables is managed.', "the daemon's own"),
  tenants: optional(
    tenants,
    'Further network namespaces, each with rules and sets of its own (docs/tenants.md). Outside of it a set of the tenant `blue` is called `blue/NAME`.',
    'none',
  ),
});

export function fileShape(): Shape<Table<RawFile>> {
  return file;
}

export function tenantShape(): Shape<Table<RawTenant>> {
  return tenant;
}

/** The keys as documentation shows them. */
export function describeFile(): ShapeDoc {
  return file.doc;
}
