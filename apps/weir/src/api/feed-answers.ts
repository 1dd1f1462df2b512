import type { Versioned } from './answers.ts';

/** A list that is pulled into a table, and how it stands. */
export interface FeedSummary {
  readonly feed: string;
  readonly table: string;
  /** File, or URL without its query. */
  readonly from: string;
  /** Networks that it has in the table. */
  readonly members: number;
  /** Different prefixes of the last list that was taken. */
  readonly listed?: number;
  /** Its lines that had something. */
  readonly entries: number;
  /** What of it is not in the table, by reason. */
  readonly left_out: Readonly<Record<string, number>>;
  /** Some of that. */
  readonly examples: readonly { readonly line?: number; readonly reason: string; readonly text: string }[];
  /** When a list was taken, or was still the same. */
  readonly success?: string;
  /** Why the last one was not taken; absent when it was. */
  readonly failure?: { readonly at: string; readonly code: string; readonly message: string };
  /** When it is tried next; absent while it is. */
  readonly next?: string;
  readonly running: boolean;
}

export interface FeedsAnswer extends Versioned {
  readonly feeds: readonly FeedSummary[];
}

export interface FeedAnswer extends Versioned {
  readonly feed: FeedSummary;
}
