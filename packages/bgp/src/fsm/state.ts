import type { Negotiated } from './negotiate.ts';

/** The states of RFC 4271 section 8.2.2. */
export type SessionState = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established';

/** One TCP connection with the peer. There may be two at a time until the collision is resolved (RFC 4271 section 6.8). */
export interface Connection {
  /** Names the connection in events and actions; never reused. */
  readonly id: number;
  readonly direction: 'outgoing' | 'incoming';
  readonly phase: 'connecting' | 'open-delayed' | 'open-sent' | 'open-confirm' | 'established';
  /** From open-confirm on. */
  readonly negotiated: Negotiated | undefined;
}

/** Everything the state machine remembers of one peer. */
export interface PeerState {
  /** `stopped` and `waiting` (for the IdleHoldTimer) are both Idle in the terms of the RFC. */
  readonly mode: 'stopped' | 'waiting' | 'running';
  /** At most one outgoing, one incoming and one established. */
  readonly connections: readonly Connection[];
  readonly nextId: number;
  /** Sessions that failed since the last stable one. */
  readonly failures: number;
  /** Connection attempts that failed since the last session: the RFC's ConnectRetryCounter. */
  readonly attempts: number;
  /** While waiting: whether incoming connections are refused. */
  readonly refusing: boolean;
  /** The peer refused the optional parameters of our OPEN: the next goes without capabilities (RFC 5492 section 3). */
  readonly plain: boolean;
}

export const INITIAL_STATE: PeerState = {
  mode: 'stopped',
  connections: [],
  nextId: 1,
  failures: 0,
  attempts: 0,
  refusing: false,
  plain: false,
};

const RANK: readonly SessionState[] = ['Idle', 'Active', 'Connect', 'OpenSent', 'OpenConfirm', 'Established'];

/** The state of the connection in the terms of the RFC; a delayed OPEN is waited for in Connect or Active. */
export function connectionState(connection: Connection): SessionState {
  switch (connection.phase) {
    case 'connecting':
      return 'Connect';
    case 'open-delayed':
      return connection.direction === 'outgoing' ? 'Connect' : 'Active';
    case 'open-sent':
      return 'OpenSent';
    case 'open-confirm':
      return 'OpenConfirm';
    case 'established':
      return 'Established';
  }
}

/** The state of the peer: that of its most advanced connection. */
export function sessionState(state: PeerState): SessionState {
  if (state.mode !== 'running') return 'Idle';
  let best = 1;
  for (const connection of state.connections) best = Math.max(best, RANK.indexOf(connectionState(connection)));
  return RANK[best] ?? 'Idle';
}

export function findConnection(state: PeerState, id: number): Connection | undefined {
  return state.connections.find((connection) => connection.id === id);
}

export function establishedConnection(state: PeerState): Connection | undefined {
  return state.connections.find((connection) => connection.phase === 'established');
}
