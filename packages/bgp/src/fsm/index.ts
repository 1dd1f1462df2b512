/** The BGP finite state machine (RFC 4271 section 8), pure: no sockets, clocks or randomness. */
export { type Identity, survivor } from './collision.ts';
export { type BackOff, backOffDelay, type FsmConfig, type GracefulRestartConfig, jittered, type PeerAs, type Role } from './config.ts';
export type { ConnectionTimer, DownReason, FsmAction, FsmEvent, PeerTimer } from './event.ts';
export { isRefusal, type Negotiated, type NegotiatedRestart, negotiate, openFamilies } from './negotiate.ts';
export { checkOpen, localCapabilities, localOpen, type OpenRefusal, openAs, roleValue } from './open.ts';
export { retainedFamilies } from './retain.ts';
export { type Connection, connectionState, INITIAL_STATE, type PeerState, type SessionState, sessionState } from './state.ts';
export { type Step, step } from './step.ts';
