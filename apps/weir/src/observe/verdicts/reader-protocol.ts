/** A network namespace whose rules log: 0 is the daemon's own. */
export interface LogScope {
  readonly scope: number;
  /** A name as in `ip netns`, or a path; undefined is the daemon's own. */
  readonly netns: string | undefined;
  /** nfnetlink_log group. */
  readonly group: number;
}

/** The ring buffer of the programs: by a descriptor, which is the process's and stays open until another one is told or none; or where it is pinned. */
export type RingPlace =
  | { readonly kind: 'descriptor'; readonly fd: number }
  | { readonly kind: 'pinned'; readonly directory: string; readonly name: string };

/** What the reader is started with. */
export interface ReaderData {
  /** READER_COUNTS 64-bit words. */
  readonly counts: SharedArrayBuffer;
}

/** Places in `counts`. Only the main thread writes `taken`, only the reader the others. */
export const READER_COUNT = {
  /** Records that came out of the ring buffer, and of nfnetlink_log. */
  ring: 0,
  log: 1,
  /** Records that are on their way to the main thread, or have been there. */
  posted: 2,
  /** Of these, those that it has taken. */
  taken: 3,
  /** Records that were dropped because too many were on their way. */
  queueLost: 4,
  /** Packets that nfnetlink_log has numbered and that never came: its buffer was full. */
  logLost: 5,
  /** Records that are none, and packets that rules of others log to the group. */
  notOurs: 6,
} as const;

export const READER_COUNTS = 7;

/** To the reader; it is woken after each. */
export type ReaderCall =
  | { readonly kind: 'ring'; readonly ring: RingPlace | undefined }
  | { readonly kind: 'scopes'; readonly scopes: readonly LogScope[] }
  | { readonly kind: 'close' };

/** Records one after the other, with the names that are first seen in them. */
export interface VerdictBatch {
  readonly records: Uint8Array;
  /** What nf_tables logs with, by the number that records of `nflog` have as their rule. */
  readonly prefixes: readonly (readonly [id: number, prefix: string])[];
  readonly interfaces: readonly InterfaceName[];
}

export interface InterfaceName {
  readonly scope: number;
  readonly index: number;
  readonly name: string;
}

/** From the reader. */
export type ReaderAnswer =
  | { readonly kind: 'ready'; readonly wake: number }
  | { readonly kind: 'batch'; readonly batch: VerdictBatch }
  /** Something cannot be read: `subject` says which, until it is said to be over. */
  | { readonly kind: 'problem'; readonly subject: string; readonly message: string }
  | { readonly kind: 'problem-over'; readonly subject: string };
