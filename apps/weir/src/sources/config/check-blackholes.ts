import type { OwnCommunity } from '../../model/blackhole.ts';
import type { CommunityPattern } from '../../model/named-set.ts';
import { type Item, quote, type Table } from '../yaml/shape.ts';
import { suggest } from '../yaml/suggest.ts';
import type { Report } from '../yaml/tree.ts';
import type { RawFile, RawPeer } from './raw.ts';
import { buildBlackholes } from './schema-blackholes.ts';

type Peers = ReadonlyMap<string, Table<RawPeer>>;

/** What is announced of sets and flow rules: that peers and sets are there, and that nothing comes back to where it is from. */
export function checkBlackholes(raw: RawFile, report: Report): void {
  const peers: Peers = new Map(
    (raw.bgp?.get.peers ?? []).flatMap(({ value }) => (value.get.name === undefined ? [] : [[value.get.name, value] as const])),
  );
  checkFromSets(raw, peers, report);
  const { blackholes } = raw;
  if (!blackholes) return;
  const { announce, from_flows: flows } = blackholes.get;
  for (const item of announce?.get.peers ?? []) {
    checkPeer(item, peers, ['ipv4 unicast', 'ipv6 unicast'], 'no prefixes', report);
    checkTold(item, peers, report);
  }
  const told = new Set((announce?.get.peers ?? []).map(({ value }) => value));
  for (const { value, place } of flows?.get.to ?? [])
    if (announce?.get.peers && !told.has(value)) report('E023', place, `announce.peers does not name ${quote(value)}`);
  for (const item of flows?.get.peers ?? []) checkPeer(item, peers, FLOWS, 'no flow rules', report);
  if (!flows) return;
  if (flows.get.own && !raw.flowspec?.get.announce)
    report('E012', flows.place('own'), 'flowspec.announce is required: it says which flow rules are made by hand');
  if (flows.get.peers.length > 0 && !raw.flowspec)
    report('E012', flows.place('peers'), 'flowspec is required: rules become routes while they are in force');
  const to = flows.get.to ?? announce?.get.peers ?? [];
  const [only] = flows.get.peers;
  if (only && flows.get.peers.length === 1 && !flows.get.own && to.every(({ value }) => value === only.value))
    report(
      'E053',
      only.place,
      `routes made of the rules of ${only.value} would go to ${only.value} alone, and none goes back to where it is from`,
    );
  checkLoops(raw, report);
}

const FLOWS = ['ipv4 flow', 'ipv6 flow'];

function checkPeer({ value: name, place }: Item<string>, peers: Peers, families: readonly string[], what: string, report: Report): void {
  const peer = peers.get(name);
  if (!peer) {
    const near = suggest(name, [...peers.keys()]);
    report('E023', place, `there is no peer ${quote(name)}`, near === undefined ? undefined : `did you mean ${near}?`);
    return;
  }
  const own = peer.get.families.map(({ value }) => String(value));
  // Without families a peer has those of unicast.
  const has = own.length === 0 ? families !== FLOWS : own.some((family) => families.includes(family));
  if (!has) report('E026', place, `${what} are spoken of with ${name}`, `add ${families.join(' or ')} to its families`);
}

function checkFromSets(raw: RawFile, peers: Peers, report: Report): void {
  const sets = new Map(raw.sets.map(({ name, value }) => [name, value]));
  for (const { value: entry } of raw.flowspec?.get.from_sets ?? []) {
    const { set, as, match, peers: told, enforce } = entry.get;
    if (set !== undefined && !sets.has(set)) {
      const near = suggest(set, sets.keys());
      report('E024', entry.place('set'), `no set is named ${set}`, near === undefined ? undefined : `did you mean ${near}?`);
    }
    for (const item of told) {
      checkPeer(item, peers, FLOWS, 'no flow rules', report);
      checkTold(item, peers, report);
    }
    if (told.length === 0 && !enforce)
      report('E012', entry.label, 'peers is required, or enforce: true: nobody gets these rules', 'name peers, or write enforce: true');
    if ([...(match?.[4] ?? []), ...(match?.[6] ?? [])].some(({ kind }) => kind === as))
      report('E026', entry.place('match'), `the ${as} of a rule is the member`, `leave ${as === 'source' ? 'src' : 'dst'} out`);
  }
}

/** Set -> flow rules -> a peer -> its flow rules -> blackhole routes -> a peer that fills the set with them. */
function checkLoops(raw: RawFile, report: Report): void {
  const built = raw.blackholes && buildBlackholes(raw.blackholes);
  const flows = raw.blackholes?.get.from_flows;
  if (!built?.fromFlows || !flows) return;
  const { fromFlows, announce } = built;
  for (const { value: entry } of raw.flowspec?.get.from_sets ?? []) {
    const set = raw.sets.find(({ name }) => name === entry.get.set)?.value.get;
    const between = flows.get.peers.find(({ value }) => entry.get.peers.some((told) => told.value === value));
    if (!set || !between) continue;
    const fillers = set.guard?.get.peers?.map(({ value }) => value);
    const back = fromFlows.peers.find((peer) => (fillers?.includes(peer) ?? true) && peer !== between.value);
    const asked = set.communities?.some(({ value }) => announce.communities.some((community) => asksFor(value, community)));
    if (back === undefined || !asked) continue;
    report(
      'E053',
      between.place,
      `a loop: members of ${entry.get.set} are flow rules for ${between.value}, its rules are blackhole routes for ${back}, and those fill ${entry.get.set}`,
      `leave ${back} out of guard.peers of the set, or ${between.value} out of one of the two`,
    );
  }
}

/** Peers that are told something: their sessions are Weir's own. */
function checkTold({ value: name, place }: Item<string>, peers: Peers, report: Report): void {
  if (peers.get(name)?.get.via === 'exabgp')
    report('E026', place, `ExaBGP holds the session with ${name}, and Weir announces nothing there`);
}

/** Whether a pattern finds a community. */
export function asksFor(pattern: CommunityPattern, community: OwnCommunity): boolean {
  const given =
    community.kind === 'standard'
      ? [community.value >>> 16, community.value & 0xffff]
      : [community.value.global, community.value.local1, community.value.local2];
  if (pattern.kind !== community.kind) return false;
  return pattern.fields.every((field, i) => field === '*' || field === given[i]);
}
