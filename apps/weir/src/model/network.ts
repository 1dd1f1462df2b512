import type { Prefix } from '@weir/wire/inet';

/** Who put an address into a table: a person or program by the control socket, a client by its session, a feed. A prefix is in a table for as long as one of them has it there. */
export type NetworkSource =
  | { readonly kind: 'operator' }
  | { readonly kind: 'client'; readonly name: string }
  | { readonly kind: 'feed'; readonly name: string };

/** What is known of a prefix in a table. Times are milliseconds since the epoch. */
export interface NetworkNote {
  readonly source: NetworkSource;
  /** `uid 0, pid 4711` of who asked; empty where the source says all. */
  readonly by: string;
  readonly since: number;
  readonly until: number | undefined;
  readonly comment: string | undefined;
}

/** One prefix in one table, by one source. */
export interface Membership {
  /** The name of a table, or a community as text. */
  readonly table: string;
  readonly note: NetworkNote;
}

/** Prefixes of one change, each once: an array, or columns, which cost a tenth of it. */
export interface Prefixes extends Iterable<Prefix> {
  readonly length: number;
}

/** How things are to be in one table for some prefixes. What a source has put there is taken out by the same source alone. */
export type NetworkChange =
  | { readonly kind: 'set'; readonly table: string; readonly note: NetworkNote; readonly prefixes: Prefixes }
  | { readonly kind: 'unset'; readonly table: string; readonly source: NetworkSource; readonly prefixes: Prefixes };

/** Changes that were made together, by whom and when (milliseconds since the epoch), and what they came to. */
export interface NetworkRecord {
  /** Counts up by one with each. */
  readonly number: number;
  readonly at: number;
  readonly by: string;
  readonly added: number;
  readonly updated: number;
  readonly removed: number;
  readonly changes: readonly NetworkChange[];
}

/** What is remembered of a record: of its prefixes only the first. */
export interface NetworkEvent extends Omit<NetworkRecord, 'changes'> {
  readonly parts: readonly {
    readonly kind: 'set' | 'unset';
    readonly table: string;
    readonly source: NetworkSource;
    readonly until: number | undefined;
    readonly comment: string | undefined;
    /** How many prefixes there were. */
    readonly count: number;
    readonly prefixes: readonly Prefix[];
  }[];
}
