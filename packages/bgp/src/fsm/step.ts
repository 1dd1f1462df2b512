import { CeaseSubcode, ErrorCode, FsmSubcode, hardReset, type Notification, OpenSubcode } from '../codec/index.ts';
import { type FsmConfig, jittered } from './config.ts';
import type { ConnectionTimer, FsmAction, FsmEvent, PeerTimer } from './event.ts';
import { receiveOpen } from './receive-open.ts';
import { retainedFamilies } from './retain.ts';
import { type Connection, establishedConnection, type PeerState, sessionState } from './state.ts';
import { Transition } from './transition.ts';

export interface Step {
  readonly state: PeerState;
  readonly actions: readonly FsmAction[];
}

const NOTHING: readonly FsmAction[] = [];
const NO_DATA = new Uint8Array(0);
const KEEPALIVE = { kind: 'keepalive' } as const;

/** Message types as the data of a finite state machine error (RFC 6608 section 4). */
const MESSAGE_TYPE = { open: 1, update: 2, keepalive: 4, 'route-refresh': 5 } as const;

/**
 * The state machine of one peer (RFC 4271 section 8), collisions between its connections included. `random` in [0, 1) is the source of jitter.
 * An event that means nothing in the present state returns that state and no actions.
 */
export function step(state: PeerState, event: FsmEvent, config: FsmConfig, random: number): Step {
  const t = new Transition(state, config, random);
  dispatch(t, event);
  if (t.state === state && t.actions.length === 0) return { state, actions: NOTHING };
  const from = sessionState(state);
  const to = sessionState(t.state);
  if (from !== to) t.actions.push({ kind: 'state', from, to });
  return { state: t.state, actions: t.actions };
}

function dispatch(t: Transition, event: FsmEvent): void {
  switch (event.kind) {
    case 'start':
      if (t.state.mode === 'running') return;
      if (t.state.mode === 'waiting') t.stopTimer('idle-hold');
      t.set({ failures: 0, attempts: 0 });
      t.run();
      return;
    case 'stop':
      stop(t, event);
      return;
    case 'reset':
      reset(t, event);
      return;
    case 'timer':
      peerTimer(t, event.timer);
      return;
    case 'tcp-accepted':
      accept(t);
      return;
    default: {
      const connection = t.connection(event.id);
      if (connection && (connection.phase !== 'connecting' || event.kind.startsWith('tcp-'))) connectionEvent(t, connection, event);
    }
  }
}

type ConnectionEvent = Extract<FsmEvent, { readonly id: number }>;

function connectionEvent(t: Transition, connection: Connection, event: ConnectionEvent): void {
  switch (event.kind) {
    case 'tcp-connected':
      if (connection.phase === 'connecting') opened(t, connection);
      return;
    case 'tcp-failed':
      failed(t, connection, event.detail);
      return;
    case 'connection-timer':
      connectionTimer(t, connection, event.timer);
      return;
    case 'open':
      if (connection.phase === 'open-sent' || connection.phase === 'open-delayed') receiveOpen(t, connection, event.open);
      else unexpected(t, connection, 'open');
      return;
    case 'keepalive':
      keepalive(t, connection);
      return;
    case 'update':
    case 'route-refresh':
      if (connection.phase === 'established') restartHold(t, connection);
      else unexpected(t, connection, event.kind);
      return;
    case 'notification':
      notified(t, connection, event.notification);
      return;
    case 'malformed':
      end(t, connection, event.notification, event.detail);
      return;
  }
}

function peerTimer(t: Transition, timer: PeerTimer): void {
  switch (timer) {
    case 'connect-retry':
      connectRetry(t);
      return;
    case 'idle-hold':
      if (t.state.mode === 'waiting') t.run();
      return;
    case 'stability':
      if (establishedConnection(t.state) && t.state.failures > 0) t.set({ failures: 0 });
  }
}

function connectRetry(t: Transition): void {
  if (t.state.mode !== 'running') return;
  const connecting = t.state.connections.find((c) => c.phase === 'connecting');
  if (connecting) {
    t.close(connecting.id);
    t.actions.push({ kind: 'failed', reason: 'transport', notification: undefined, detail: 'no answer to the connection attempt' });
    t.set({ attempts: t.state.attempts + 1 });
  }
  if (t.state.connections.length === 0 && !t.config.passive) t.connect();
}

/** An incoming connection: one at a time, the newest, until the peer's OPEN has arrived on it (RFC 4271 section 6.8, RFC 4724 section 5). */
function accept(t: Transition): void {
  if (t.state.mode === 'stopped' || (t.state.mode === 'waiting' && t.state.refusing)) {
    t.actions.push({ kind: 'refuse' });
    return;
  }
  const present = t.state.connections.find((c) => c.direction === 'incoming' && c.phase !== 'established');
  if (present?.phase === 'open-confirm') {
    t.actions.push({ kind: 'refuse' });
    return;
  }
  if (present) t.close(present.id);
  if (t.state.mode === 'waiting') {
    t.stopTimer('idle-hold');
    t.set({ mode: 'running' });
  }
  const outgoing = t.state.connections.some((c) => c.phase === 'connecting');
  if (!outgoing) t.stopTimer('connect-retry');
  const connection = t.add('incoming', 'open-delayed');
  t.actions.push({ kind: 'adopt', id: connection.id });
  begin(t, connection.id);
}

function opened(t: Transition, connection: Connection): void {
  t.stopTimer('connect-retry');
  t.change(connection.id, { phase: 'open-delayed' });
  begin(t, connection.id);
}

/** The connection is up: OPEN now, or after DelayOpenTime. */
function begin(t: Transition, id: number): void {
  if (t.config.delayOpen > 0) t.startConnectionTimer(id, 'delay-open', t.config.delayOpen);
  else t.sendOpen(id);
}

function failed(t: Transition, connection: Connection, detail: string): void {
  t.forget(connection.id);
  t.report(connection, { reason: 'transport', notification: undefined, detail }, retained(connection, 'transport'));
  if (connection.phase === 'open-confirm' || connection.phase === 'established') t.rest();
  else t.retry();
}

function connectionTimer(t: Transition, connection: Connection, timer: ConnectionTimer): void {
  switch (timer) {
    case 'delay-open':
      if (connection.phase === 'open-delayed') t.sendOpen(connection.id);
      return;
    case 'keepalive':
      if (connection.phase !== 'open-confirm' && connection.phase !== 'established') return;
      t.actions.push({ kind: 'send', id: connection.id, message: KEEPALIVE });
      t.startConnectionTimer(connection.id, 'keepalive', jittered(connection.negotiated?.keepaliveTime ?? 0, t.random));
      return;
    case 'hold': {
      if (connection.phase === 'connecting' || connection.phase === 'open-delayed') return;
      const detail = connection.phase === 'open-sent' ? 'no OPEN from the peer' : 'nothing heard from the peer';
      expired(t, connection, { code: ErrorCode.holdTimerExpired, subcode: 0, data: NO_DATA }, 'hold-timer', detail);
      return;
    }
    case 'send-hold': {
      if (connection.phase !== 'established') return;
      const notification = { code: ErrorCode.sendHoldTimerExpired, subcode: 0, data: NO_DATA };
      expired(t, connection, notification, 'send-hold-timer', 'the peer does not read what we send');
      return;
    }
  }
}

function expired(
  t: Transition,
  connection: Connection,
  notification: Notification,
  reason: 'hold-timer' | 'send-hold-timer',
  detail: string,
): void {
  t.notify(connection.id, notification);
  t.report(connection, { reason, notification, detail }, retained(connection, notification));
  t.rest();
}

function keepalive(t: Transition, connection: Connection): void {
  if (connection.phase === 'established') {
    restartHold(t, connection);
    return;
  }
  const { negotiated } = connection;
  if (connection.phase !== 'open-confirm' || !negotiated) {
    unexpected(t, connection, 'keepalive');
    return;
  }
  for (const other of t.state.connections) {
    if (other.id === connection.id) continue;
    if (other.phase === 'connecting') t.close(other.id);
    else t.notify(other.id, { code: ErrorCode.cease, subcode: CeaseSubcode.connectionCollision, data: NO_DATA });
  }
  t.stopTimer('connect-retry');
  t.set({ attempts: 0 });
  t.change(connection.id, { phase: 'established' });
  restartHold(t, connection);
  t.startTimer('stability', t.config.stableAfter);
  t.actions.push({ kind: 'established', id: connection.id, negotiated });
}

function restartHold(t: Transition, { id, negotiated }: Connection): void {
  if (negotiated && negotiated.holdTime > 0) t.startConnectionTimer(id, 'hold', negotiated.holdTime * 1000);
}

function unexpected(t: Transition, connection: Connection, message: keyof typeof MESSAGE_TYPE): void {
  const data = Uint8Array.of(MESSAGE_TYPE[message]);
  end(t, connection, { code: ErrorCode.finiteStateMachine, subcode: fsmSubcode(connection), data }, `unexpected ${message} message`);
}

/** RFC 6608 names three states; before our OPEN is sent the error has no subcode. */
function fsmSubcode(connection: Connection): number {
  switch (connection.phase) {
    case 'open-sent':
      return FsmSubcode.inOpenSent;
    case 'open-confirm':
      return FsmSubcode.inOpenConfirm;
    case 'established':
      return FsmSubcode.inEstablished;
    default:
      return FsmSubcode.unspecified;
  }
}

/** The peer's fault: a NOTIFICATION, and Idle. */
function end(t: Transition, connection: Connection, notification: Notification, detail: string): void {
  t.notify(connection.id, notification);
  t.report(connection, { reason: 'notification-sent', notification, detail }, retained(connection, notification));
  t.rest();
}

function notified(t: Transition, connection: Connection, notification: Notification): void {
  t.close(connection.id);
  const { code, subcode } = notification;
  const refusedParameters = code === ErrorCode.open && subcode === OpenSubcode.unsupportedOptionalParameter;
  if (connection.phase === 'open-sent' && refusedParameters) t.set({ plain: true });
  const collision = code === ErrorCode.cease && subcode === CeaseSubcode.connectionCollision && connection.phase !== 'established';
  const reason = collision ? 'collision' : 'notification-received';
  t.report(connection, { reason, notification, detail: undefined }, retained(connection, notification));
  t.rest();
}

function retained(connection: Connection, ended: 'transport' | Notification): ReturnType<typeof retainedFamilies> {
  return connection.negotiated ? retainedFamilies(connection.negotiated, ended) : [];
}

/** Ends every connection for a reason of our own. */
function endAll(t: Transition, event: Extract<FsmEvent, { kind: 'stop' | 'reset' }>): void {
  for (const connection of t.state.connections) {
    const wrap = event.hard && connection.negotiated?.gracefulRestart?.notification === true;
    const notification = event.notification && wrap ? hardReset(event.notification) : event.notification;
    if (notification && connection.phase !== 'connecting') t.notify(connection.id, notification);
    else t.close(connection.id);
    if (connection.phase !== 'established') continue;
    t.report(connection, { reason: event.reason, notification, detail: undefined }, retained(connection, notification ?? 'transport'));
  }
  t.stopTimer('connect-retry');
  t.stopTimer('idle-hold');
}

function stop(t: Transition, event: Extract<FsmEvent, { kind: 'stop' }>): void {
  if (t.state.mode === 'stopped') return;
  endAll(t, event);
  t.set({ mode: 'stopped', failures: 0, attempts: 0, refusing: false, plain: false });
}

function reset(t: Transition, event: Extract<FsmEvent, { kind: 'reset' }>): void {
  if (t.state.mode === 'stopped') return;
  endAll(t, event);
  if (event.restartAfter === undefined) {
    t.set({ mode: 'running' });
    t.rest();
    return;
  }
  t.startTimer('idle-hold', event.restartAfter);
  t.set({ mode: 'waiting', attempts: 0, refusing: event.restartAfter > 0 });
}
