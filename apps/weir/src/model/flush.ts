import type { Ip } from '@weir/wire/inet';

/** Connections between two ends that are not to be cut: of an operator, of a BGP peer. */
export interface Lifeline {
  /** TCP on these; either end may have begun. */
  readonly one: End;
  readonly other: End;
}

export interface End {
  /** Undefined: any. */
  readonly address: Ip | undefined;
  readonly port: number | undefined;
}

/** What became of the tracked connections when those that the rules deny were cut. The counts after `tracked` add up to it. */
export interface FlushReport {
  readonly tracked: number;
  readonly cut: number;
  readonly allowed: number;
  /** Denied or not by what conntrack does not keep (interfaces, payload, lengths): they go on. */
  readonly doubtful: number;
  /** Denied, but somebody's way in. */
  readonly protected: number;
  /** Not looked at, because there were too many or it took too long. */
  readonly left: number;
  /** Some of the doubtful ones, with the rule that is in doubt. */
  readonly examples: readonly string[];
}
