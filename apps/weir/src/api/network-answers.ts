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

/** A client as one line. */
export interface ClientSummary {
  readonly client: string;
  readonly sessions: number;
  /** Prefixes in tables by its sessions, each counted for itself. */
  readonly contributed: number;
  /** By reason: announcements since the start that were not put into a table. */
  readonly refused: { readonly [reason: string]: number };
}

/** A client, and its sessions. */
export interface NetworkClientAnswer extends Versioned {
  readonly client: string;
  readonly from: readonly string[];
  readonly as: number | 'any';
  /** What it may get. */
  readonly tables: readonly string[];
  readonly contribute: readonly {
    readonly table: string;
    readonly prefixes: readonly string[];
    readonly lengths: { readonly ipv4: readonly number[]; readonly ipv6: readonly number[] };
    readonly max_prefixes: number;
    readonly lifetime_ms: number;
  }[];
  readonly sessions: readonly {
    readonly session: string;
    readonly address: string;
    readonly as?: number;
    readonly state: string;
    readonly since?: string;
    /** Routes that it is told, and whether it has been told all of them. */
    readonly routes?: number;
    readonly in_step?: boolean;
    /** Octets that wait to be sent. */
    readonly queue: number;
    /** Prefixes by table. */
    readonly contributed: { readonly [table: string]: number };
    readonly refused: { readonly [reason: string]: { readonly count: number; readonly last?: string } };
  }[];
  readonly refused: { readonly [reason: string]: number };
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
