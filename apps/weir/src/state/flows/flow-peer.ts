import type { Peer } from '../../model/config.ts';
import type { FlowConfig } from '../../model/flow.ts';
import { holdEnd } from '../peer-state.ts';
import type { TokenBucket } from '../token-bucket.ts';
import type { FlowEntry } from './flow-entry.ts';

/** One peer as a source of flow rules. */
export interface FlowPeer {
  definition: Peer;
  readonly entries: Map<string, FlowEntry>;
  readonly churn: TokenBucket;
  /** Entries that wait, in the order in which they came. */
  readonly queue: Set<FlowEntry>;
  admitted: number;
  /** Announcements forgotten because there was no room. */
  overflow: number;
  /** Some of its entries may be of a lost session. */
  holds: boolean;
  /** Some were refused because there was no room. */
  full: boolean;
}

/** A peer that has said nothing yet. */
export function newFlowPeer(definition: Peer, churn: TokenBucket): FlowPeer {
  return { definition, entries: new Map(), churn, queue: new Set(), admitted: 0, overflow: 0, holds: false, full: false };
}

/** The same with entries of its own: what becomes of them does not touch the peer. */
export function copyFlowPeer(peer: FlowPeer): FlowPeer {
  const copies = new Map([...peer.entries.values()].map((entry) => [entry, { ...entry }]));
  const copyOf = (entry: FlowEntry): FlowEntry => copies.get(entry) ?? entry;
  return {
    ...peer,
    entries: new Map([...peer.entries].map(([key, entry]) => [key, copyOf(entry)])),
    churn: peer.churn.copy(),
    queue: new Set([...peer.queue].map(copyOf)),
  };
}

/** When an entry of a lost session is held no more. */
export function lossEnd({ at, times }: NonNullable<FlowEntry['lost']>, config: FlowConfig | undefined): number {
  return holdEnd({ onSessionLoss: config?.onSessionLoss ?? { kind: 'withdraw' } }, { lostAt: at, times });
}

/** When something is to be done next: a hold ends, or what waits may go on. Infinity where there is nothing. */
export function nextDeadline(peers: Iterable<FlowPeer>, now: number, config: FlowConfig | undefined): number {
  let first = Number.POSITIVE_INFINITY;
  for (const { entries, queue, churn, holds } of peers) {
    if (queue.size > 0) first = Math.min(first, churn.readyAt(1, now));
    if (holds) for (const { lost } of entries.values()) if (lost) first = Math.min(first, lossEnd(lost, config));
  }
  return first;
}
