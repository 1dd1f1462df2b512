import type { FamilyName, Notification } from '../codec/index.ts';
import { backOffDelay, type FsmConfig } from './config.ts';
import type { ConnectionTimer, DownReason, FsmAction, PeerTimer } from './event.ts';
import { localOpen } from './open.ts';
import { type Connection, findConnection, type PeerState } from './state.ts';

/** Why a connection ends, in the terms of the `down` and `failed` actions. */
export interface Ending {
  readonly reason: DownReason;
  readonly notification: Notification | undefined;
  readonly detail: string | undefined;
}

/** One step in progress: the next state and the actions that lead there. */
export class Transition {
  readonly config: FsmConfig;
  /** In [0, 1): what this step's jitter is made of. */
  readonly random: number;
  readonly actions: FsmAction[] = [];
  state: PeerState;

  constructor(state: PeerState, config: FsmConfig, random: number) {
    this.state = state;
    this.config = config;
    this.random = random;
  }

  set(change: Partial<PeerState>): void {
    this.state = { ...this.state, ...change };
  }

  startTimer(timer: PeerTimer, ms: number): void {
    this.actions.push({ kind: 'start-timer', timer, ms });
  }

  stopTimer(timer: PeerTimer): void {
    this.actions.push({ kind: 'stop-timer', timer });
  }

  startConnectionTimer(id: number, timer: ConnectionTimer, ms: number): void {
    this.actions.push({ kind: 'start-connection-timer', id, timer, ms });
  }

  /** Restarts the connect retry timer, the longer the more attempts failed. */
  startConnectRetry(): void {
    this.startTimer('connect-retry', backOffDelay(this.config.connectRetry, this.state.attempts, this.random));
  }

  add(direction: Connection['direction'], phase: Connection['phase']): Connection {
    const connection: Connection = { id: this.state.nextId, direction, phase, negotiated: undefined };
    this.set({ nextId: connection.id + 1, connections: [...this.state.connections, connection] });
    return connection;
  }

  change(id: number, change: Partial<Connection>): void {
    this.set({ connections: this.state.connections.map((c) => (c.id === id ? { ...c, ...change } : c)) });
  }

  /** Forgets a connection that is closed already. */
  forget(id: number): void {
    this.set({ connections: this.state.connections.filter((c) => c.id !== id) });
  }

  close(id: number): void {
    this.forget(id);
    this.actions.push({ kind: 'close', id });
  }

  notify(id: number, notification: Notification): void {
    this.forget(id);
    this.actions.push({ kind: 'notify', id, notification });
  }

  /** Sends our OPEN and waits for the peer's, for a limited time. */
  sendOpen(id: number): void {
    this.actions.push({ kind: 'send', id, message: localOpen(this.config, this.state.plain) });
    this.startConnectionTimer(id, 'hold', this.config.openTime);
    this.change(id, { phase: 'open-sent' });
  }

  report(connection: Connection, ending: Ending, retain: readonly FamilyName[]): void {
    if (connection.phase === 'established') {
      this.stopTimer('stability');
      this.set({ plain: false });
      this.actions.push({ kind: 'down', ...ending, retain });
    } else this.actions.push({ kind: 'failed', ...ending });
  }

  /** Opens a connection, and the timer after which it is given up. */
  connect(): void {
    const { id } = this.add('outgoing', 'connecting');
    this.actions.push({ kind: 'connect', id });
    this.startConnectRetry();
  }

  /** Leaves Idle. */
  run(): void {
    this.set({ mode: 'running', refusing: false });
    if (!this.config.passive) this.connect();
  }

  /** Back to Idle after a failure, unless another connection is still under way. */
  rest(): void {
    if (this.state.mode !== 'running' || this.state.connections.length > 0) return;
    const failures = this.state.failures;
    this.stopTimer('connect-retry');
    this.startTimer('idle-hold', backOffDelay(this.config.idleHold, failures, this.random));
    this.set({ mode: 'waiting', failures: failures + 1, attempts: 0, refusing: failures + 1 >= this.config.refuseAfter });
  }

  /** A connection that was being opened, or waited for an OPEN, is gone: try again later from Active. */
  retry(): void {
    if (this.state.connections.length > 0) return;
    this.set({ attempts: this.state.attempts + 1 });
    if (!this.config.passive) this.startConnectRetry();
  }

  connection(id: number): Connection | undefined {
    return findConnection(this.state, id);
  }
}
