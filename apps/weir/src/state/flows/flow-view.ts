import type { FamilyName, PathAttributes } from '@weir/bgp/codec';
import type { FlowFamily } from '@weir/bgp/flowspec';
import type { BgpConfig } from '../../model/config.ts';
import type { ActiveFlow } from '../../model/flow.ts';
import { activeFlow, bestEntry, type FlowEntry } from './flow-entry.ts';
import type { FlowRefusal, FlowRefusalReason } from './flow-guard.ts';
import type { FlowPeer } from './flow-peer.ts';

/** What is known of one announcement. */
export interface FlowView {
  readonly flow: ActiveFlow;
  readonly peer: string;
  /** As they were announced; undefined for what was in force before the start and has not been announced since. */
  readonly attributes: PathAttributes | undefined;
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

/** Whether the flow rules of any peer are validated. */
export function validates({ bgp }: { readonly bgp: BgpConfig }): boolean {
  return bgp.peers.some(({ families, flowValidation }) => flowValidation !== 'off' && families.some(isFlowFamily));
}

/** The peers as they have to be stored: where flow rules are validated, with all their routes. */
export function keepValidated(bgp: BgpConfig): BgpConfig {
  return validates({ bgp }) ? { ...bgp, peers: bgp.peers.map((peer) => ({ ...peer, keepAll: true })) } : bgp;
}

/** Announcements by rule, and what was in force before the start, in the order in which rules are judged. */
export function listFlows(byRule: Iterable<Iterable<FlowEntry>>, before: Iterable<ActiveFlow>): readonly FlowView[] {
  const views = [...before].map((flow): FlowView => {
    const peer = flow.provenance.kind === 'flow' ? flow.provenance.peer : '';
    return { flow, peer, attributes: undefined, state: 'enforced', refusal: undefined };
  });
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
