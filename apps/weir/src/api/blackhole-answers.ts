import type { Versioned } from './answers.ts';

/** A blackhole route as it is announced. */
export interface PrefixSummary {
  readonly prefix: string;
  readonly communities: readonly string[];
  /** Absent: our own address on the session. */
  readonly next_hop?: string;
}

/** What everything has that was made by hand and is announced. */
export interface OwnSummary {
  readonly peers: readonly string[];
  /** Those of them that have been told in their present sessions. */
  readonly told: readonly string[];
  readonly since: string;
  readonly until?: string;
  readonly comment?: string;
  /** Who made it: `uid 0, pid 4711`. */
  readonly by: string;
}

export interface OwnBlackholeSummary extends PrefixSummary, OwnSummary {}

/** One that flow rules ask for. */
export interface ConvertedSummary extends PrefixSummary {
  readonly peers: readonly string[];
  readonly told: readonly string[];
  /** The rules and who they are from. */
  readonly because: readonly string[];
}

/** What flow rules have come to as blackhole routes: those that wait for room or the churn limit, and those refused by reason. */
export interface FlowConversionSummary {
  readonly routes: number;
  readonly waiting: number;
  readonly refused: { readonly [reason: string]: number };
}

/** What the members of a set have come to as flow rules. */
export interface SetConversionSummary {
  readonly set: string;
  readonly as: 'destination' | 'source';
  /** Whether the rules are in force here. */
  readonly enforce: boolean;
  readonly peers: readonly string[];
  readonly rules: number;
  readonly waiting: number;
  readonly refused: { readonly [reason: string]: number };
}

export interface BlackholesAnswer extends Versioned {
  /** Made by hand. */
  readonly announced: readonly OwnBlackholeSummary[];
  /** Of flow rules. */
  readonly from_flows: readonly ConvertedSummary[];
  /** Absent where flow rules do not become blackhole routes. */
  readonly from_flows_counts?: FlowConversionSummary;
}

export interface BlackholeAddAnswer extends Versioned {
  readonly announced: OwnBlackholeSummary;
}

export interface BlackholeDeleteAnswer extends Versioned {
  readonly withdrawn: string;
}
