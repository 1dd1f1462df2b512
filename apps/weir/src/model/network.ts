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

/** How things are to be in one table for some prefixes. What a source has put there is taken out by the same source alone. */
export type NetworkChange =
  | { readonly kind: 'set'; readonly table: string; readonly note: NetworkNote; readonly prefixes: readonly Prefix[] }
  | { readonly kind: 'unset'; readonly table: string; readonly source: NetworkSource; readonly prefixes: readonly Prefix[] };
