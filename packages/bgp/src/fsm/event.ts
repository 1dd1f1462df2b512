import type { FamilyName, KeepaliveMessage, Notification, OpenMessage } from '../codec/index.ts';
import type { Negotiated } from './negotiate.ts';
import type { SessionState } from './state.ts';

/** Why a session or an attempt at one ended. */
export type DownReason =
  | 'transport'
  | 'hold-timer'
  | 'send-hold-timer'
  | 'notification-received'
  | 'notification-sent'
  | 'admin'
  | 'peer-removed'
  | 'reconfigured'
  | 'max-prefixes'
  | 'collision'
  | 'replaced';

export type PeerTimer = 'connect-retry' | 'idle-hold' | 'stability';
export type ConnectionTimer = 'hold' | 'keepalive' | 'delay-open' | 'send-hold';

/** What happens to a peer. `id` names a connection; events of a connection that is gone change nothing. */
export type FsmEvent =
  | { readonly kind: 'start' }
  /** Ends everything and stays Idle. Without a NOTIFICATION connections are just closed, so that the peer may retain our routes (RFC 4724). */
  | { readonly kind: 'stop'; readonly reason: DownReason; readonly notification: Notification | undefined; readonly hard: boolean }
  /** Ends the session and starts again: after `restartAfter` milliseconds during which the peer is refused, or after the idle hold. */
  | {
      readonly kind: 'reset';
      readonly reason: DownReason;
      readonly notification: Notification;
      readonly hard: boolean;
      readonly restartAfter: number | undefined;
    }
  | { readonly kind: 'timer'; readonly timer: PeerTimer }
  | { readonly kind: 'connection-timer'; readonly id: number; readonly timer: ConnectionTimer }
  | { readonly kind: 'tcp-accepted' }
  | { readonly kind: 'tcp-connected'; readonly id: number }
  | { readonly kind: 'tcp-failed'; readonly id: number; readonly detail: string }
  | { readonly kind: 'open'; readonly id: number; readonly open: OpenMessage }
  | { readonly kind: 'keepalive'; readonly id: number }
  | { readonly kind: 'update'; readonly id: number }
  | { readonly kind: 'route-refresh'; readonly id: number }
  | { readonly kind: 'notification'; readonly id: number; readonly notification: Notification }
  /** Bytes that RFC 4271 section 6 answers with a NOTIFICATION. */
  | { readonly kind: 'malformed'; readonly id: number; readonly notification: Notification; readonly detail: string };

/** What the session is to do, in order. */
export type FsmAction =
  | { readonly kind: 'connect'; readonly id: number }
  /** Takes the accepted connection of the event as `id`. */
  | { readonly kind: 'adopt'; readonly id: number }
  /** Closes the accepted connection of the event. */
  | { readonly kind: 'refuse' }
  | { readonly kind: 'send'; readonly id: number; readonly message: OpenMessage | KeepaliveMessage }
  /** Sends a NOTIFICATION and closes. As with `close`, the timers of the connection end. */
  | { readonly kind: 'notify'; readonly id: number; readonly notification: Notification }
  | { readonly kind: 'close'; readonly id: number }
  | { readonly kind: 'start-timer'; readonly timer: PeerTimer; readonly ms: number }
  | { readonly kind: 'stop-timer'; readonly timer: PeerTimer }
  | { readonly kind: 'start-connection-timer'; readonly id: number; readonly timer: ConnectionTimer; readonly ms: number }
  | { readonly kind: 'stop-connection-timer'; readonly id: number; readonly timer: ConnectionTimer }
  | { readonly kind: 'established'; readonly id: number; readonly negotiated: Negotiated }
  /** An Established session ended. Routes of `retain` may be kept as stale (RFC 4724, RFC 8538). */
  | {
      readonly kind: 'down';
      readonly reason: DownReason;
      readonly notification: Notification | undefined;
      readonly detail: string | undefined;
      readonly retain: readonly FamilyName[];
    }
  /** A connection ended before it was Established. */
  | {
      readonly kind: 'failed';
      readonly reason: DownReason;
      readonly notification: Notification | undefined;
      readonly detail: string | undefined;
    }
  | { readonly kind: 'state'; readonly from: SessionState; readonly to: SessionState };
