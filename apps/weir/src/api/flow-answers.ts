import type { FlowFamily } from '@weir/bgp/flowspec';
import type { Versioned } from './answers.ts';
import type { OwnSummary, SetConversionSummary } from './blackhole-answers.ts';

/** An announcement of a flow rule. */
export interface FlowSummary {
  /** As BIRD writes it. */
  readonly flow: string;
  readonly family: FlowFamily;
  /** The rule as it was announced, in hexadecimal digits. */
  readonly octets: string;
  readonly peer: string;
  readonly path_id?: number;
  /** `not-best`: another announcement of the same rule counts. `waiting`: for the churn limit of its peer. */
  readonly state: 'enforced' | 'refused' | 'waiting' | 'not-best';
  readonly refused?: { readonly reason: string; readonly message: string };
  /** As they were announced: `discard`, `rate-bytes 12500`. */
  readonly actions: readonly string[];
  /** Actions that do not count, and why. */
  readonly notes: readonly string[];
  /** What all of them come to. */
  readonly treatment: readonly string[];
  /** By which packets get to the address that they are redirected to. */
  readonly path?: { readonly mark: number; readonly table: number };
  /** With those that are actions. */
  readonly communities: readonly string[];
  readonly as_path: readonly number[];
  readonly since: string;
  /** Not heard of since its session was lost. */
  readonly stale: boolean;
  /** Of what is enforced: what each of its steps has counted. A rate counts what it dropped (nf_tables), or all it was asked about (programs). */
  readonly counters?: readonly { readonly step: string; readonly packets: number; readonly bytes: number }[];
}

/** What another configuration would make of an announcement. */
export interface FlowChange {
  readonly flow: string;
  readonly peer: string;
  readonly actions: readonly string[];
  /** Absent where it is not one of a flow rule then: its peer or family is gone. */
  readonly before: FlowStanding;
  readonly after: FlowStanding | undefined;
}

export type FlowStanding = Pick<FlowSummary, 'state' | 'refused'>;

export interface FlowPlanAnswer extends Versioned {
  /** Of the files that were compared. */
  readonly digest: string;
  readonly enforced: { readonly before: number; readonly after: number };
  readonly changes: readonly FlowChange[];
  /** How many there are. */
  readonly total: number;
}

export interface FlowPeerSummary {
  readonly peer: string;
  readonly rules: number;
  readonly enforced: number;
  readonly waiting: number;
  readonly stale: number;
  readonly refused: { readonly [reason: string]: number };
}

/** Flow rules in a few numbers. */
export interface FlowStatus {
  /** Where they are enforced; absent where they are not. */
  readonly at?: 'prerouting' | 'xdp' | 'tc';
  readonly enforced: number;
  readonly waiting: number;
  readonly stale: number;
  /** By reason. */
  readonly refused: { readonly [reason: string]: number };
  /** Members of sets in force as rules; absent where there are none. */
  readonly of_sets?: number;
  /** Of our own. */
  readonly announced: number;
}

/** A flow rule of our own. */
export interface OwnFlowSummary extends OwnSummary {
  readonly flow: string;
  readonly actions: readonly string[];
}

export interface FlowAddAnswer extends Versioned {
  readonly announced: OwnFlowSummary;
}

export interface FlowDeleteAnswer extends Versioned {
  readonly withdrawn: string;
}

export interface FlowsAnswer extends Versioned {
  /** Where they are enforced; absent where they are not. */
  readonly at?: 'prerouting' | 'xdp' | 'tc';
  readonly peers: readonly FlowPeerSummary[];
  /** Of our own: made by hand, then those of sets. */
  readonly announced: readonly OwnFlowSummary[];
  /** What members of sets have come to as flow rules; absent where none do. */
  readonly from_sets?: readonly SetConversionSummary[];
  /** In the order in which they are judged. */
  readonly flows: readonly FlowSummary[];
  readonly total: number;
  readonly next?: string;
}
