import type { PathAttributes } from '@weir/bgp/codec';
import { type FlowRoute, type FlowRule, type FlowTreatment, flowComponent, flowOrderKey, printFlow } from '@weir/bgp/flowspec';
import type { Ip, Prefix } from '@weir/wire/inet';
import type { Peer } from '../../model/config.ts';
import type { ActiveFlow, FlowPath } from '../../model/flow.ts';
import type { StaleTimes } from '../peer-state.ts';
import type { FlowRefusal } from './flow-guard.ts';
import { compareRanks, type PathRank, rankOf } from './path-rank.ts';

const SHOWN_AS_PATH = 16;

/** Whether an entry may be enforced; `waiting` for the churn limit of its peer. */
export type EntryStatus =
  | { readonly kind: 'new' }
  | { readonly kind: 'admitted' }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'refused'; readonly refusal: FlowRefusal };

/** One announcement of a flow rule: of a peer, over one path. */
export interface FlowEntry {
  readonly peer: string;
  readonly pathId: number | undefined;
  readonly rule: FlowRule;
  readonly order: string;
  readonly attributes: PathAttributes;
  readonly treatment: FlowTreatment;
  readonly rank: PathRank;
  readonly destination: Prefix | undefined;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Not heard again since a refresh began. */
  refreshing: boolean;
  /** When its session was lost, and how long graceful restart lets it be kept; undefined while it is fresh. */
  lost: { readonly at: number; readonly times: StaleTimes } | undefined;
  status: EntryStatus;
  /** How packets get to the address that they are redirected to. */
  path: FlowPath | undefined;
}

/** The prefix that a rule's destination lies in, for guards and validation. With an offset only the bits before it, which are none. */
function destinationOf(rule: FlowRule): Prefix | undefined {
  const component = flowComponent(rule, 'destination');
  return component && component.offset === 0 ? component.prefix : undefined;
}

/** An announcement as it has come; `order` where the rule is known already. */
export function newEntry(
  { name, address, as, localAs }: Peer,
  { rule, pathId }: FlowRoute,
  {
    identifier,
    order = flowOrderKey(rule),
    ...heard
  }: Pick<FlowEntry, 'attributes' | 'treatment' | 'since'> & {
    readonly identifier: Ip | undefined;
    readonly order: string | undefined;
  },
): FlowEntry {
  return {
    ...heard,
    peer: name,
    pathId,
    rule,
    order,
    rank: rankOf(heard.attributes, { address, external: as !== localAs, identifier }),
    destination: destinationOf(rule),
    refreshing: false,
    lost: undefined,
    status: { kind: 'new' },
    path: undefined,
  };
}

/** Names an entry among those of all peers. */
export function entryKey(peer: string, rule: FlowRule, pathId: number | undefined): string {
  return `${peer}\n${pathId ?? ''}\n${rule.key}`;
}

/** The entry that decides what its rule does: of those that may the best, a fresh one before one of a lost session. */
export function bestEntry(entries: Iterable<FlowEntry>): FlowEntry | undefined {
  let best: FlowEntry | undefined;
  for (const entry of entries) {
    if (entry.status.kind !== 'admitted') continue;
    if (!best || compare(entry, best) < 0) best = entry;
  }
  return best;
}

function compare(a: FlowEntry, b: FlowEntry): number {
  return Number(a.lost !== undefined) - Number(b.lost !== undefined) || compareRanks(a.rank, b.rank);
}

/** An entry as what enforces it takes it. */
export function activeFlow({ rule, order, treatment, peer, pathId, attributes, since, lost, refreshing, path }: FlowEntry): ActiveFlow {
  const asPath = (attributes.asPath ?? []).flatMap(({ asns }) => asns).slice(0, SHOWN_AS_PATH);
  const provenance = { kind: 'flow', peer, flow: printFlow(rule), pathId, asPath, since, stale: lost !== undefined || refreshing } as const;
  return { rule, order, treatment, provenance, ...(path && { path }) };
}
