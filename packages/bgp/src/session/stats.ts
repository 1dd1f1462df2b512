import type { ErrorAction, FamilyName, Message, Notification } from '../codec/index.ts';
import type { DownReason, Negotiated, SessionState } from '../fsm/index.ts';

export type MessageCounts = Record<Message['kind'], number>;

/** The last thing that went wrong with a peer. */
export interface LastError {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly reason: DownReason;
  readonly notification: Notification | undefined;
  readonly detail: string | undefined;
}

/** A peer as it is now. */
export interface PeerStatus {
  readonly name: string;
  readonly address: string;
  readonly state: SessionState;
  /** When the state was entered, in milliseconds since the epoch. */
  readonly since: number;
  /** Of the present session. */
  readonly negotiated: Negotiated | undefined;
  readonly localAddress: string | undefined;
  /** Sessions that have been Established. */
  readonly sessions: number;
  readonly received: Readonly<MessageCounts>;
  readonly sent: Readonly<MessageCounts>;
  /** Octets received in messages. */
  readonly receivedOctets: number;
  /** Errors in UPDATEs by what was done about them, and malformed messages that ended the session. */
  readonly errors: Readonly<Record<ErrorAction, number>>;
  readonly lastError: LastError | undefined;
  /** What the consumer counts. */
  readonly prefixes: Partial<Readonly<Record<FamilyName, number>>>;
  /** Octets that wait to be sent. */
  readonly sendPending: number;
  readonly paused: boolean;
}

function messageCounts(): MessageCounts {
  return { open: 0, update: 0, notification: 0, keepalive: 0, 'route-refresh': 0 };
}

/** What is counted of one peer over all its sessions. */
export class PeerCounters {
  readonly received: MessageCounts = messageCounts();
  readonly sent: MessageCounts = messageCounts();
  readonly errors: Record<ErrorAction, number> = {
    'attribute-discard': 0,
    'treat-as-withdraw': 0,
    'afi-safi-disable': 0,
    'session-reset': 0,
  };
  receivedOctets = 0;
  sessions = 0;
  lastError: LastError | undefined;

  receive(kind: Message['kind'], octets: number): void {
    this.received[kind]++;
    this.receivedOctets += octets;
  }

  /** The figures as they are now. */
  copy(): Pick<PeerStatus, 'received' | 'sent' | 'errors' | 'receivedOctets' | 'sessions' | 'lastError'> {
    const { receivedOctets, sessions, lastError } = this;
    return { received: { ...this.received }, sent: { ...this.sent }, errors: { ...this.errors }, receivedOctets, sessions, lastError };
  }
}
