import { covers, type Ip, printIp } from '@weir/wire/inet';
import { Seen } from '../yaml/seen.ts';
import type { Item, Named, Table } from '../yaml/shape.ts';
import { quote } from '../yaml/shape.ts';
import type { Place } from '../yaml/source-text.ts';
import { suggest } from '../yaml/suggest.ts';
import type { Report } from '../yaml/tree.ts';
import { isLocal } from './build.ts';
import { checkCumulus } from './build-cumulus.ts';
import { checkBlackholes } from './check-blackholes.ts';
import { checkEbpf } from './check-ebpf.ts';
import { checkFlowspec } from './check-flowspec.ts';
import type { RawBgp, RawBorder, RawFile, RawPeer, RawScope, RawSet } from './raw.ts';
import { checkDistribute } from './schema-distribute.ts';
import { checkFeeds } from './schema-feeds.ts';

/**
 * What can only be seen by looking at several keys together. Works on what was usable, so that one mistake does not hide another. Of the
 * policy it wants to know whether there is one, and which sets it uses.
 */
export function checkFile(raw: RawFile, policy: PolicyUse, report: Report): void {
  if (raw.bgp) checkPeers(raw.bgp, report);
  if (raw.ebpf) checkEbpf(raw.ebpf, report);
  if (raw.flowspec) checkFlowspec(raw.flowspec, raw, report);
  checkBlackholes(raw, report);
  checkDistribute(raw, report);
  checkFeeds(raw, report);
  if (raw.cumulus) checkCumulus(raw.cumulus, report);
  checkScope(raw, raw, withFlowSets(raw, policy), report);
}

/** The same for the rules and sets of the configuration itself or of a tenant. */
export function checkScope(scope: RawScope, { bgp, protected: shield }: Whole, policy: PolicyUse, report: Report): void {
  const peers = new Set((bgp?.get.peers ?? []).flatMap((item) => item.value.get.name ?? []));
  for (const set of scope.sets) checkSet(set, peers, scope.firewall !== undefined || policy.given, report);
  checkTargets(scope, policy, report);
  if (scope.firewall) checkBorders(scope, scope.firewall.get.borders, report);
  checkUse(scope, shield, policy, report);
}

type Whole = Pick<RawFile, 'bgp' | 'protected'>;

/** A policy makes a table that Weir owns, as a firewall does. */
export interface PolicyUse {
  readonly given: boolean;
  readonly uses: ReadonlySet<string>;
}

/** Sets that become flow rules are used, and are kept in the table that flow rules have. */
function withFlowSets({ flowspec }: RawFile, policy: PolicyUse): PolicyUse {
  const named = (flowspec?.get.from_sets ?? []).flatMap(({ value }) => value.get.set ?? []);
  if (named.length === 0) return policy;
  return { given: policy.given || flowspec?.get.at === 'prerouting', uses: new Set([...policy.uses, ...named]) };
}

function checkPeers(bgp: Table<RawBgp>, report: Report): void {
  const names = new Seen();
  const addresses = new Seen();
  for (const { value: peer } of bgp.get.peers) {
    const p = peer.get;
    if (p.name !== undefined) {
      const first = names.add(p.name, peer.place('name'));
      if (first) report('E020', peer.place('name'), `peer ${p.name} is already configured ${first}`);
    }
    if (p.address) {
      const text = printIp(p.address);
      const linkLocal = isLinkLocal(p.address.family, p.address.w0);
      const first = addresses.add(linkLocal ? `${text}%${p.interface}` : text, peer.place('address'));
      if (first) report('E021', peer.place('address'), `a peer with the address ${text} is already configured ${first}`);
    }
    checkPeer(bgp, peer, report);
  }
}

function checkPeer(bgp: Table<RawBgp>, peer: Table<RawPeer>, report: Report): void {
  const p = peer.get;
  if (p.via === 'exabgp') {
    checkExabgpPeer(peer, report);
    return;
  }
  if (p.hold_time === 1 || p.hold_time === 2) {
    report('E010', peer.place('hold_time'), `hold_time must be 0 or 3-65535, not ${p.hold_time} (RFC 4271 section 4.2)`);
  }
  if (p.address && !isUnicast(p.address)) report('E013', peer.place('address'), `${printIp(p.address)} is not the address of one host`);
  if (p.address && p.source && p.address.family !== p.source.family) {
    report('E025', peer.place('source'), `the source is IPv${p.source.family} and the peer's address is IPv${p.address.family}`);
  }
  if (p.address && isLinkLocal(p.address.family, p.address.w0) && p.interface === undefined && !peer.has('interface')) {
    report('E012', peer.place('address'), `interface is required because ${printIp(p.address)} is a link-local address`);
  }
  if (p.ttl_security !== undefined && p.multihop !== undefined) {
    report(
      'E026',
      peer.place('multihop'),
      'multihop and ttl_security exclude each other',
      'ttl_security already states the number of hops',
    );
  }
  if (p.passive && bgp.get.listen.length === 0 && !bgp.has('listen')) {
    report('E012', peer.place('passive'), 'bgp.listen is required because the peer is passive');
  }
  const local = p.local_as ?? bgp.get.as;
  if (p.role !== undefined && p.as !== undefined && p.as === local) {
    report('E026', peer.place('role'), 'a role is for eBGP, and this session is iBGP (RFC 9234 section 4)');
  }
  if (p.role_strict && p.role === undefined && !peer.has('role')) {
    report('E012', peer.place('role_strict'), 'role is required because role_strict is true');
  }
}

/** What only a session of Weir's own can have. */
const OWN_SESSION = [
  'port',
  'hold_time',
  'passive',
  'interface',
  'password_file',
  'ttl_security',
  'multihop',
  'add_path',
  'extended_message',
  'role_strict',
] as const;

function checkExabgpPeer(peer: Table<RawPeer>, report: Report): void {
  for (const key of OWN_SESSION) {
    if (peer.has(key))
      report('E026', peer.place(key), `${key} is for sessions of Weir's own; ExaBGP holds this one`, "give it in ExaBGP's configuration");
  }
  const max = peer.get.max_prefixes?.get;
  if (max?.action === 'restart') {
    report(
      'E026',
      peer.get.max_prefixes?.place('action') ?? peer.label,
      "restart is for sessions of Weir's own; ExaBGP holds this one",
      'write warn or block',
    );
  }
  const { address } = peer.get;
  if (address && !isUnicast(address)) report('E013', peer.place('address'), `${printIp(address)} is not the address of one host`);
}

/** Neither unspecified nor multicast nor broadcast. */
function isUnicast(ip: Ip): boolean {
  if (ip.family === 4) return ip.w0 !== 0 && ip.w0 >>> 28 < 0xe;
  return (ip.w0 | ip.w1 | ip.w2 | ip.w3) !== 0 && ip.w0 >>> 24 !== 0xff;
}

function isLinkLocal(family: 4 | 6, w0: number): boolean {
  return family === 6 && w0 >>> 22 === 0xfe80 >>> 6;
}

function checkSet(set: Named<Table<RawSet>>, peers: ReadonlySet<string>, firewall: boolean, report: Report): void {
  const s = set.value.get;
  const guard = s.guard?.get;
  // As RFC 8212 section 3 has it of routers: without a policy nothing is taken. Whose routes open something, and what, is said or it is a mistake.
  if (s.kind === 'allow') {
    const why = 'is required because the set is an allow set';
    const guardPlace = s.guard?.label ?? set.place;
    const guardUnusable = set.value.has('guard') && !s.guard;
    if (!guardUnusable && !s.guard?.has('peers'))
      report('E012', guardPlace, `guard.peers ${why}`, 'name the peers that may open something');
    if (!guardUnusable && !s.guard?.has('prefixes')) {
      report('E012', guardPlace, `guard.prefixes ${why}`, 'name the prefixes that may be opened');
    }
    if (!set.value.has('on_session_loss')) {
      report('E012', set.place, `on_session_loss ${why}`, 'write withdraw, hold 2m, hold long-lived or hold forever');
    }
  }
  for (const { value, place } of guard?.peers ?? []) {
    if (peers.has(value)) continue;
    const near = suggest(value, peers);
    report('E023', place, `no peer is named ${value}`, near === undefined ? undefined : `did you mean ${near}?`);
  }
  for (const { name, place } of guard?.prefixes_of ?? []) {
    if (!peers.has(name)) report('E023', place, `no peer is named ${name}`);
    else if (guard?.peers && !guard.peers.some(({ value }) => value === name))
      report('W003', place, `guard.peers does not name ${name}, so it fills nothing`);
  }
  for (const { value, place } of guard?.prefixes ?? []) {
    const range = value.family === 4 ? guard?.lengths?.get.ipv4 : guard?.lengths?.get.ipv6;
    if (range && value.length > range.max) {
      report('E026', place, `nothing in this prefix has a length of ${range.min}..${range.max}, as guard.lengths asks`);
    }
  }
  checkNft(set, firewall, report);
}

function checkNft(set: Named<Table<RawSet>>, firewall: boolean, report: Report): void {
  const nft = set.value.get.nft;
  if (!nft) {
    if (!firewall && !set.value.has('nft')) {
      report(
        'E012',
        set.place,
        'nft is required because there is no firewall',
        'name the table and sets to fill, or add a firewall: section',
      );
    }
    return;
  }
  const { family, ipv4, ipv6 } = nft.get;
  if (!nft.has('ipv4') && !nft.has('ipv6')) report('E012', nft.label, 'ipv4 or ipv6 is required: a set of the table to fill');
  if (family === 'ip' && ipv6 !== undefined) report('E025', nft.place('ipv6'), 'a table of the family ip has no IPv6 sets');
  if (family === 'ip6' && ipv4 !== undefined) report('E025', nft.place('ipv4'), 'a table of the family ip6 has no IPv4 sets');
}

/** No two sets may fill the same kernel set, and none may fill the table that Weir writes whole. */
function checkTargets(raw: RawScope, policy: PolicyUse, report: Report): void {
  const targets = new Seen();
  for (const set of raw.sets) {
    const nft = set.value.get.nft;
    if (!nft || nft.get.table === undefined) continue;
    const { family, table } = nft.get;
    const owned = raw.firewall ? raw.firewall.get.table : policy.given ? 'weir' : undefined;
    if (family === 'inet' && table === owned) {
      report('E026', nft.place('table'), `inet ${table} is the table that Weir owns`, 'leave nft out to use a set of the owned table');
    }
    for (const key of ['ipv4', 'ipv6'] as const) {
      const kernelSet = nft.get[key];
      if (kernelSet === undefined) continue;
      const first = targets.add(`${family} ${table} ${kernelSet}`, nft.place(key));
      if (first) report('E022', nft.place(key), `${family} ${table} ${kernelSet} is already filled by the set ${first}`);
    }
  }
}

function checkBorders(raw: RawScope, borders: readonly Item<Table<RawBorder>>[], report: Report): void {
  const kinds = new Map(raw.sets.map((set) => [set.name, set.value.get.kind]));
  const names = new Seen();
  const use = (name: string, place: Place, kind: 'allow' | 'deny'): void => {
    if (!kinds.has(name)) {
      const near = suggest(name, kinds.keys());
      report('E024', place, `no set is named ${name}`, near === undefined ? undefined : `did you mean ${near}?`);
    } else if (kinds.get(name) !== undefined && kinds.get(name) !== kind) {
      report('E027', place, `${name} is ${kind === 'allow' ? 'a deny' : 'an allow'} set and cannot be used under ${kind}`);
    } else {
      const set = raw.sets.find((s) => s.name === name);
      if (set?.value.get.nft) {
        report(
          'E026',
          place,
          `${name} fills a table of the user (nft), so the owned table has no such set`,
          'leave its nft out to use it here',
        );
      }
    }
  };
  for (const { value: border } of borders) {
    const b = border.get;
    if (b.name !== undefined) {
      const first = names.add(b.name, border.place('name'));
      if (first) report('E020', border.place('name'), `border ${b.name} is already configured ${first}`);
    }
    if (b.to && !isLocal(b.to)) {
      const local = b.to.find((item) => item.value === 'local');
      if (local) report('E026', local.place, 'local cannot be mixed with interfaces', 'make a border of its own for this host');
    }
    for (const item of b.deny) use(item.value, item.place, 'deny');
    for (const { value: entry } of b.allow) {
      const a = entry.get;
      if (a.set !== undefined) use(a.set, entry.place('set'), 'allow');
      if (a.ports.length > 0 && (a.protocol === 'icmp' || a.protocol === 'any')) {
        report('E026', entry.place('ports'), `the protocol ${a.protocol} has no ports`, 'write protocol: tcp or protocol: udp');
      }
    }
  }
}

/** Warnings: things that are allowed and probably not meant. */
function checkUse(raw: RawScope, shields: RawFile['protected'], policy: PolicyUse, report: Report): void {
  if (!raw.firewall && !policy.given) return;
  const used = new Set(policy.uses);
  for (const { value: border } of raw.firewall?.get.borders ?? []) {
    for (const item of border.get.deny) used.add(item.value);
    for (const item of border.get.allow) if (item.value.get.set !== undefined) used.add(item.value.get.set);
  }
  for (const set of raw.sets) {
    if (!set.value.has('nft') && !used.has(set.name))
      report('W001', set.place, `${policy.given ? 'neither a border nor the policy uses' : 'no border uses'} the set ${quote(set.name)}`);
    for (const { value, place } of set.value.get.kind === 'deny' ? (set.value.get.guard?.get.prefixes ?? []) : []) {
      const shield = shields.find((p) => covers(p.value, value));
      if (shield) report('W003', place, 'this prefix is protected, so the set can never have a member in it');
    }
  }
}
