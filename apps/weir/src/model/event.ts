import type { KernelEvent } from './kernel-port.ts';

/** What happened, for logs, counters and watchers. `at` is milliseconds since the epoch. */
export type Event = { readonly at: number } & (
  | { readonly kind: 'peer-state'; readonly peer: string; readonly from: string; readonly to: string; readonly reason: string | undefined }
  /** What has happened to the sessions of a client since the last event about it, and how many there are now. */
  | {
      readonly kind: 'client-sessions';
      readonly client: string;
      readonly sessions: number;
      readonly up: number;
      readonly down: number;
      /** Announcements that were refused, and messages with errors. */
      readonly refused: number;
      readonly errors: number;
      /** The last that came or went, and why it went. */
      readonly last: string | undefined;
    }
  | { readonly kind: 'peer-converged'; readonly peer: string; readonly routes: number }
  /** Routes that a reload wants were not heard again: the peer cannot be asked, or was and sent nothing. */
  | { readonly kind: 'not-refreshed'; readonly peer: string; readonly family: string; readonly asked: boolean }
  | {
      readonly kind: 'message-errors';
      readonly peer: string;
      readonly errors: readonly { readonly action: string; readonly message: string; readonly offset: number }[];
    }
  | { readonly kind: 'member'; readonly set: string; readonly prefix: string; readonly present: boolean; readonly peer: string | undefined }
  | { readonly kind: 'refused'; readonly set: string; readonly prefix: string; readonly peer: string; readonly reason: string }
  | { readonly kind: 'max-prefixes'; readonly peer: string; readonly count: number; readonly limit: number; readonly action: string }
  /** Something about what ExaBGP hands over that an operator should know. */
  | { readonly kind: 'exabgp'; readonly message: string }
  /** A list of a feed was taken, or was not. */
  | { readonly kind: 'feed'; readonly feed: string; readonly table: string; readonly ok: boolean; readonly message: string }
  | { readonly kind: 'listen'; readonly address: string; readonly ok: boolean; readonly message: string | undefined }
  | { readonly kind: 'reload'; readonly ok: boolean; readonly changed: readonly string[] }
  | { readonly kind: 'kernel'; readonly event: KernelEvent }
);

/** Where events go; must not throw and must not block. */
export type EventSink = (event: Event) => void;
