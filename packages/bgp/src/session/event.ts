import type { Ip } from '@weir/wire/inet';
import type { FamilyName, MessageError, Notification, OpenMessage, RouteRefreshMessage, UpdateMessage } from '../codec/index.ts';
import type { DownReason, Negotiated, NegotiatedRestart, SessionState } from '../fsm/index.ts';

/** What a speaker tells. Times are milliseconds since the epoch. */
export type SessionEvent =
  /** One of a range connected that was not known; and one has had no session for a minute, or its range is gone. */
  | { readonly kind: 'peer-added'; readonly peer: string; readonly group: string; readonly address: Ip }
  | { readonly kind: 'peer-forgotten'; readonly peer: string }
  | { readonly kind: 'state'; readonly peer: string; readonly from: SessionState; readonly to: SessionState }
  | {
      readonly kind: 'established';
      readonly peer: string;
      readonly negotiated: Negotiated;
      readonly peerOpen: OpenMessage;
      readonly gracefulRestart: NegotiatedRestart | undefined;
      readonly localAddress: string | undefined;
    }
  | { readonly kind: 'update'; readonly peer: string; readonly update: UpdateMessage; readonly receivedAt: number }
  | { readonly kind: 'route-refresh'; readonly peer: string; readonly message: RouteRefreshMessage; readonly receivedAt: number }
  /**
   * An Established session ended. `graceful` says whether the peer's routes of the families in `retain` may be held as stale (RFC 4724, RFC 8538);
   * routes of all other families are gone.
   */
  | {
      readonly kind: 'down';
      readonly peer: string;
      readonly reason: DownReason;
      readonly notification: Notification | undefined;
      readonly detail: string | undefined;
      readonly graceful: boolean;
      readonly retain: readonly FamilyName[];
    }
  /** A connection ended before it was Established. */
  | {
      readonly kind: 'attempt-failed';
      readonly peer: string;
      readonly reason: DownReason;
      readonly notification: Notification | undefined;
      readonly detail: string | undefined;
    }
  /** An UPDATE had errors that leave the session up (RFC 7606). */
  | { readonly kind: 'error'; readonly peer: string; readonly errors: readonly MessageError[] }
  /** Routes of a family can no longer be trusted on this session: delete them; its UPDATEs are ignored until the next one (RFC 4760 section 7). */
  | { readonly kind: 'family-disabled'; readonly peer: string; readonly family: FamilyName }
  /** The count given by `setPrefixCount` crossed a threshold. `clear` says that it is below again. */
  | {
      readonly kind: 'max-prefixes';
      readonly peer: string;
      readonly family: FamilyName;
      readonly count: number;
      readonly limit: number;
      readonly level: 'clear' | 'warning' | 'exceeded';
      readonly action: 'warn' | 'block' | 'restart';
    }
  /** There is room in the send queue again after `sendUpdate` returned `full`. */
  | { readonly kind: 'drain'; readonly peer: string }
  | { readonly kind: 'listening'; readonly address: string; readonly port: number }
  /** Listening failed; it is tried again, and sessions that we open are not affected. */
  | { readonly kind: 'listen-failed'; readonly address: string; readonly port: number; readonly error: Error }
  /** A peer's key could not be set on a listener: its connections are refused, so that none is accepted without a signature. */
  | { readonly kind: 'key-failed'; readonly peer: string; readonly address: string; readonly error: Error };
