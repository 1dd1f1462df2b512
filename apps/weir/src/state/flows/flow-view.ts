import type { FamilyName, PathAttributes } from '@weir/bgp/codec';
import type { FlowFamily } from '@weir/bgp/flowspec';
import type { BgpConfig, Peer } from '../../model/config.ts';
import type { ActiveFlow } from '../../model/flow.ts';
import type { TokenBucket } from '../token-bucket.ts';
import { activeFlow, bestEntry, type FlowEntry } from './flow-entry.ts';
import type { FlowRefusal, FlowRefusalReason } from './flow-guard.ts';

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

/** What is known of one announcement. */
export interface FlowView {
  readonly flow: ActiveFlow;
  readonly peer: string;
  readonly attributes: PathAttributes;
  /** `not-best`: another announcement of the same rule counts. */
  readonly state: 'enforced' | 'refused' | 'waiting' | 'not-best';
  readonly refusal: FlowRefusal | undefined;
}

export interface FlowPeerCounts {
  readonly peer: string;
  readonly rules: number;
  readonly enforced: number;
  readonly waiting: number;
  readonly stale: number;
  /** Of what is held now, by reason. `overflow`: those forgotten since the configuration. */
  readonly refused: { readonly [R in FlowRefusalReason]?: number };
}

export function isFlowFamily(family: FamilyName): family is FlowFamily {
  return family !== 'ipv4 unicast' && family !== 'ipv6 unicast';
}

/** The peers as they have to be stored: where flow rules are validated, with all their routes. */
export function keepValidated(bgp: BgpConfig): BgpConfig {
  const validates = bgp.peers.some(({ families, flowValidation }) => flowValidation !== 'off' && families.some(isFlowFamily));
  return validates ? { ...bgp, peers: bgp.peers.map((peer) => ({ ...peer, keepAll: true })) } : bgp;
}

/** Announcements by rule, in the order in which rules are judged. */
export function listFlows(byRule: Iterable<Iterable<FlowEntry>>): readonly FlowView[] {
  const views: FlowView[] = [];
  for (const entries of byRule) {
    const best = bestEntry(entries);
    for (const entry of entries) {
      const { status, peer, attributes } = entry;
      const refusal = status.kind === 'refused' ? status.refusal : undefined;
      const admitted = entry === best ? 'enforced' : 'not-best';
      const state = status.kind === 'admitted' ? admitted : status.kind === 'refused' ? 'refused' : 'waiting';
      views.push({ flow: activeFlow(entry), peer, attributes, state, refusal });
    }
  }
  return views.sort((a, b) => compareTexts(a.flow.order, b.flow.order) || compareTexts(a.peer, b.peer));
}

export function countFlows(peer: FlowPeer, isEnforced: (entry: FlowEntry) => boolean): FlowPeerCounts {
  const refused: { [R in FlowRefusalReason]?: number } = {};
  let [enforced, stale] = [0, 0];
  for (const entry of peer.entries.values()) {
    const { lost, status } = entry;
    if (lost) stale++;
    if (status.kind === 'refused') refused[status.refusal.reason] = (refused[status.refusal.reason] ?? 0) + 1;
    else if (isEnforced(entry)) enforced++;
  }
  if (peer.overflow > 0) refused.overflow = peer.overflow;
  return { peer: peer.definition.name, rules: peer.entries.size, enforced, waiting: peer.queue.size, stale, refused };
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
