import {
  attributesToJson,
  type Capability,
  describeNotification,
  type Notification,
  type PathAttributes,
  printCommunity,
  printExtendedCommunity,
  printFamily,
  printLargeCommunity,
} from '@weir/bgp/codec';
import type { Negotiated } from '@weir/bgp/fsm';
import type { LastError } from '@weir/bgp/session';
import { printIp, printPrefix } from '@weir/wire/inet';
import type {
  EbpfSummary,
  LatencySummary,
  LongLivedSummary,
  MemberSummary,
  PeerSummary,
  RouteSummary,
  SetSummary,
  WhySummary,
} from '../api/index.ts';
import { ownedSetNames } from '../compile/nft/set-names.ts';
import type { Peer } from '../model/config.ts';
import type { EbpfStatus, KernelStatus } from '../model/kernel-port.ts';
import type { NamedSet } from '../model/named-set.ts';
import type { Provenance } from '../model/provenance.ts';
import { splitName } from '../model/scopes.ts';
import type { CounterValues } from '../observe/index.ts';
import type { PeerView } from '../sources/bgp/index.ts';
import type { Hold, Member, PeerCounts, RouteEntry, SetCounts } from '../state/index.ts';

export function iso(at: number): string {
  return new Date(at).toISOString();
}

/** Until when something is, and what was said of it, as far as that was said. */
export function summarizeNote(note: { readonly until: number | undefined; readonly comment: string | undefined }): {
  readonly until?: string;
  readonly comment?: string;
} {
  const { until, comment } = note;
  return { ...(until === undefined ? {} : { until: iso(until) }), ...(comment === undefined ? {} : { comment }) };
}

export function summarizeLatency(l: CounterValues['latency']): LatencySummary {
  return { count: l.count, p50_ms: round(l.p50), p99_ms: round(l.p99), max_ms: round(l.max) };
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

export function summarizeSet(set: NamedSet, counts: SetCounts | undefined, kernel: KernelStatus | undefined): SetSummary {
  const { tenant } = splitName(set.name);
  const table = (tenant === undefined ? kernel : kernel?.tenants.find((one) => one.name === tenant))?.ownedTable?.name;
  const states = kernel?.sets.filter((s) => s.set === set.name) ?? [];
  return {
    name: set.name,
    kind: set.kind,
    members: counts?.installed ?? 0,
    max_members: set.guard.maxMembers,
    waiting: counts?.waiting ?? 0,
    stale: counts?.ledger ?? 0,
    refused: { ...counts?.refused },
    targets: states.map((s) => ({
      family: s.family === 4 ? 'ipv4' : 'ipv6',
      kernel_set: kernelSet(set, s.family, table),
      wanted: s.wanted,
      installed: s.installed,
      covered: s.covered,
      foreign: s.foreign,
      representation: s.representation,
      conflicts: s.conflicts.map(printPrefix),
      unfit: s.unfit.map(printPrefix),
    })),
  };
}

function kernelSet(set: NamedSet, family: 4 | 6, table: string | undefined): string {
  const { target } = set;
  if (target.kind === 'owned') return `inet ${table ?? ''} ${ownedSetNames(splitName(set.name).set, family).hosts}`;
  return `${target.family} ${target.table} ${(family === 4 ? target.ipv4 : target.ipv6) ?? ''}`;
}

export function summarizeEbpf({ directory, places, lists, limits }: EbpfStatus): EbpfSummary {
  return {
    directory,
    places: places.map(({ hook, place, way, why, generation }) => ({
      hook,
      place,
      ...(way === undefined ? {} : { way }),
      ...(why === undefined ? {} : { why }),
      ...(generation === undefined ? {} : { generation }),
    })),
    lists: lists.map(({ set, family, members, leftOut, memory }) => ({
      set,
      family: family === 4 ? 'ipv4' : 'ipv6',
      members,
      left_out: leftOut,
      ...(memory === undefined ? {} : { memory }),
    })),
    limits,
  };
}

export function summarizePeer(
  peer: Peer,
  { status, converged, families: phases, unrefreshed }: PeerView,
  counts: PeerCounts | undefined,
  holds: readonly Hold[],
): PeerSummary {
  const negotiated = status.negotiated;
  const families = counts?.families ?? [];
  const sum = (values: Readonly<Record<string, number>>): number => Object.values(values).reduce((a, b) => a + b, 0);
  return {
    name: peer.name,
    address: printIp(peer.address),
    port: peer.port,
    as: peer.as,
    local_as: peer.localAs,
    ...(peer.via === undefined ? {} : { via: peer.via }),
    state: status.state,
    since: iso(status.since),
    converged,
    phases: Object.fromEntries(phases.map(({ family, phase }) => [family, phase])),
    families: negotiated?.families ?? [],
    ...(negotiated && negotiated.longLived.length > 0 ? { long_lived: negotiated.longLived.map((f) => longLived(peer, f)) } : {}),
    ...(unrefreshed.length > 0 ? { not_refreshed: unrefreshed } : {}),
    routes: families.reduce((n, f) => n + f.stored, 0),
    stale_routes: families.reduce((n, f) => n + f.stale, 0),
    holds: holds.map((h) => ({ set: h.set, routes: h.routes, ...(h.endsAt === undefined ? {} : { ends: iso(h.endsAt) }) })),
    not_kept: { unneeded: counts?.unneeded ?? 0, blocked: counts?.blocked ?? 0, overflow: counts?.overflow ?? 0 },
    leaked: counts?.leaked ?? 0,
    // Of a session that ExaBGP holds neither is known for certain.
    ...(negotiated && peer.via === undefined ? { hold_time: negotiated.holdTime, router_id: printIp(negotiated.peerRouterId) } : {}),
    ...(status.localAddress === undefined ? {} : { local_address: status.localAddress }),
    capabilities: negotiated?.peerOpen.capabilities.map(printCapability) ?? [],
    messages: { received: sum(status.received), sent: sum(status.sent) },
    errors: sum(status.errors),
    ...(status.lastError ? { last_error: printLastError(status.lastError) } : {}),
  };
}

function longLived(peer: Peer, agreed: Negotiated['longLived'][number]): LongLivedSummary {
  const asked = agreed.staleTime;
  const kept = Math.min(asked, Math.ceil((peer.longLivedStaleTime ?? 0) / 1000));
  return { family: agreed.family, stale_time: kept, asked, forwarding_preserved: agreed.forwardingPreserved };
}

/** Why a session ended, as one line. What a peer wrote in it is escaped where it is shown. */
function printDown(reason: string, notification: Notification | undefined, detail: string | undefined): string {
  return [reason, ...(notification ? [describeNotification(notification)] : []), ...(detail === undefined ? [] : [detail])].join(': ');
}

function printLastError(error: LastError): string {
  return `${printDown(error.reason, error.notification, error.detail)} (${iso(error.at)})`;
}

function printCapability(c: Capability): string {
  switch (c.kind) {
    case 'multiprotocol':
      return `${c.kind} ${printFamily(c.family)}`;
    case 'four-octet-as':
      return `${c.kind} ${c.asn}`;
    case 'graceful-restart':
      return `${c.kind} ${c.restartTime}s${c.restarting ? ' restarting' : ''}${c.notification ? ' notification' : ''}`;
    case 'long-lived-graceful-restart':
      return `${c.kind} ${c.families.map((f) => `${printFamily(f)} ${f.staleTime}s${f.forwardingPreserved ? ' forwarding' : ''}`).join(', ')}`;
    case 'add-path':
      return `${c.kind} ${c.families.map((f) => `${printFamily(f)} ${[...(f.send ? ['send'] : []), ...(f.receive ? ['receive'] : [])].join('+')}`).join(', ')}`;
    case 'role':
      return `${c.kind} ${c.role}`;
    case 'fqdn':
      return `${c.kind} ${c.domain === '' ? c.hostname : `${c.hostname}.${c.domain}`}`;
    case 'unknown':
      return `${c.kind} ${c.code}`;
    default:
      return c.kind;
  }
}

export function summarizeRoute(route: RouteEntry): RouteSummary {
  const a = route.attributes;
  return {
    prefix: printPrefix(route.prefix),
    peer: route.peer,
    ...(route.pathId === undefined ? {} : { path_id: route.pathId }),
    ...(route.nextHop ? { next_hop: printIp(route.nextHop.address) } : {}),
    as_path: a.asPath?.flatMap((segment) => segment.asns) ?? [],
    communities: printCommunities(a),
    attributes: attributesToJson(a),
    sets: route.sets.map((s) => s.set),
    refused: [
      ...route.refused.map((r) => ({ set: r.set, reason: r.reason })),
      ...route.sets.filter((s) => !s.installed).map((s) => ({ set: s.set, reason: 'waiting' })),
    ],
    stale: route.stale,
    ...(route.longLivedStale ? { long_lived_stale: true } : {}),
    since: iso(route.since),
  };
}

export function printCommunities({ communities = [], largeCommunities = [], extendedCommunities = [] }: PathAttributes): readonly string[] {
  return [
    ...communities.map(printCommunity),
    ...largeCommunities.map(printLargeCommunity),
    ...extendedCommunities.map(printExtendedCommunity),
  ];
}

export function summarizeMember(member: Member): MemberSummary {
  return { prefix: printPrefix(member.prefix), why: member.provenance.map(summarizeWhy) };
}

function summarizeWhy(why: Provenance): WhySummary {
  switch (why.kind) {
    case 'route':
      return {
        kind: 'route',
        peer: why.peer,
        prefix: printPrefix(why.prefix),
        ...(why.pathId === undefined ? {} : { path_id: why.pathId }),
        as_path: why.asPath,
        communities: why.communities,
        since: iso(why.since),
        stale: why.stale,
      };
    case 'flow':
      return {
        kind: 'flow',
        peer: why.peer,
        text: why.flow,
        ...(why.pathId === undefined ? {} : { path_id: why.pathId }),
        as_path: why.asPath,
        since: iso(why.since),
        stale: why.stale,
      };
    case 'ledger':
      return { kind: 'ledger', prefix: printPrefix(why.prefix) };
    case 'file':
      return { kind: 'file', text: `${why.span.file}:${why.span.line}` };
    case 'builtin':
      return { kind: 'builtin' };
    case 'api':
      return { kind: 'api', text: why.caller, since: iso(why.since) };
  }
}
