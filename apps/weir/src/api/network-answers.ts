import type { Versioned } from './answers.ts';

/** Who has a prefix in a table, and until when. */
export interface NetworkNoteSummary {
  readonly table: string;
  /** `operator`, `client NAME`, `feed NAME`. */
  readonly source: string;
  readonly by?: string;
  readonly since: string;
  readonly until?: string;
  readonly comment?: string;
}

export interface NetworkSummary {
  readonly prefix: string;
  readonly tables: readonly NetworkNoteSummary[];
}

/** What a change came to. */
export interface NetworkChangeAnswer extends Versioned {
  /** Prefixes that were not in the table, that were and have another note now, and that are not in it any more. */
  readonly added: number;
  readonly updated: number;
  readonly removed: number;
}

export interface NetworksAnswer extends Versioned {
  readonly networks: readonly NetworkSummary[];
  readonly tables: readonly {
    readonly table: string;
    readonly prefixes: number;
    readonly max?: number;
    /** What its routes carry. */
    readonly communities: readonly string[];
  }[];
  readonly clients: readonly { readonly client: string; readonly sessions: number; readonly tables: readonly string[] }[];
  /** Where to go on; absent at the end. */
  readonly cursor?: string;
}

/** Prefixes of a table, in no order. */
export interface NetworkDumpAnswer extends Versioned {
  /** With a space between two. */
  readonly prefixes: string;
  /** Where to go on; absent at the end. */
  readonly cursor?: string;
}

/** One change of tables. */
export interface NetworkHistoryEntry {
  readonly number: number;
  readonly at: string;
  /** `uid 0, pid 4711`; absent where the source says all. */
  readonly by?: string;
  readonly added: number;
  readonly updated: number;
  readonly removed: number;
  readonly changes: readonly {
    readonly kind: 'set' | 'unset';
    readonly table: string;
    readonly source: string;
    readonly until?: string;
    readonly comment?: string;
    /** How many prefixes there were, and the first of them. */
    readonly count: number;
    readonly prefixes: readonly string[];
  }[];
}

export interface NetworkHistoryAnswer extends Versioned {
  /** The latest first. */
  readonly history: readonly NetworkHistoryEntry[];
}

export interface NetworkLoadAnswer extends Versioned {
  /** Names what is being loaded. */
  readonly load: string;
}
