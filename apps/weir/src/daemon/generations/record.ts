/** What brought a configuration into force. `revert`: it was not confirmed in time. */
export type Cause = 'start' | 'reload' | 'apply' | 'rollback' | 'revert';

/** A configuration that was in force, without its texts. */
export interface GenerationRecord {
  readonly number: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly cause: Cause;
  /** Who asked for it: a user of this host, or the daemon itself. */
  readonly by: string;
  /** SHA-256 over the names and texts of its files, hexadecimal. */
  readonly digest: string;
  /** The main file. */
  readonly file: string;
  /** What is different from the one before, as short texts. */
  readonly changes: readonly string[];
  /** Whether it went out of force because nobody confirmed it. */
  readonly reverted: boolean;
}

/** A change that waits for somebody to say that it is good. */
export interface Pending {
  readonly generation: number;
  /** What comes back when nobody does. */
  readonly previous: number;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
}

/** What generations there are. */
export interface GenerationIndex {
  readonly inForce: number | undefined;
  readonly pending: Pending | undefined;
  /** Oldest first. */
  readonly records: readonly GenerationRecord[];
}
