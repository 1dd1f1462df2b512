import type { FamilyName, SessionContext } from '../codec/index.ts';
import type { DownReason } from '../fsm/index.ts';

/** A session as far as sending routes goes. */
export interface OutgoingSession {
  readonly peer: string;
  readonly context: SessionContext;
  /** Whether the peer understands the beginning and end of a refresh (RFC 7313). */
  readonly enhancedRefresh: boolean;
  /** Our address on the connection. */
  readonly localAddress: string | undefined;
  /** Queues whole messages of one kind, `count` of them (1 when absent), and keeps the octets, which nobody changes. `full`: not queued, wait for `drained`. `down`: the session is over. */
  send(messages: Uint8Array, count?: number): 'queued' | 'full' | 'down';
}

/** What sends routes to peers. All calls come from the speaker's thread, in order. */
export interface Announcer {
  /** Send what there is, then End-of-RIB for each family. */
  established(session: OutgoingSession): void;
  /** The peer asks for a family again (RFC 2918). */
  refresh(peer: string, family: FamilyName): void;
  /** There is room again after `full`. */
  drained(peer: string): void;
  down(peer: string, reason: DownReason): void;
}
