import type { Socket } from 'node:net';
import { Writer } from '@weir/wire/bytes';
import { printIp } from '@weir/wire/inet';
import {
  BgpError,
  decodeMessage,
  encodeEndOfRib,
  encodeKeepalive,
  encodeMessage,
  encodeRouteRefresh,
  encodeUpdate,
  type FamilyName,
  family,
  familyOf,
  type Message,
  type MessageError,
  messageKind,
  type Notification,
  notificationBytes,
  sessionContext,
  type UpdateBatch,
} from '../codec/index.ts';
import {
  type ConnectionTimer,
  type FsmAction,
  type FsmConfig,
  type FsmEvent,
  INITIAL_STATE,
  type Negotiated,
  type PeerState,
  type PeerTimer,
  sessionState,
  step,
} from '../fsm/index.ts';
import type { Announcer, OutgoingSession } from './announcer.ts';
import type { Clock } from './clock.ts';
import { DEFAULT_SEND_QUEUE, fsmConfig, needsNewSession, type PeerConfig, type SpeakerConfig } from './config.ts';
import { Connection } from './connection.ts';
import { Deadline } from './deadline.ts';
import type { SessionEvent } from './event.ts';
import { maximumPrefixes, type PrefixLevel, prefixLevel } from './prefix-limit.ts';
import { errorCounts, type LastError, messageCounts, type PeerStatus } from './stats.ts';
import { Upstream } from './upstream.ts';

/** What a peer needs from its speaker. */
export interface PeerEnvironment {
  readonly clock: Clock;
  readonly emit: (event: SessionEvent) => void;
  /** Begins to connect; throws when there can be no such socket. */
  readonly dial: (config: PeerConfig) => Socket;
  readonly speaker: () => SpeakerConfig;
  readonly announcer: Announcer | undefined;
}

interface Link {
  readonly id: number;
  readonly connection: Connection;
  readonly timers: Readonly<Record<ConnectionTimer, Deadline>>;
}

/** Finished connections of one peer that may linger until their last message is out; the oldest is dropped for another. */
const MAX_LINGERING = 4;
const KEEPALIVE = bytesOf(encodeKeepalive);
/** Before OPENs are exchanged only messages that no agreement bears upon are decoded. */
const NO_CONTEXT = sessionContext();

function bytesOf(write: (w: Writer) => void): Uint8Array {
  const w = new Writer(128);
  write(w);
  return w.finish();
}

/** Runs the state machine of one peer: carries out its actions on sockets and timers, and feeds it what happens to them. */
export class Peer {
  readonly #env: PeerEnvironment;
  readonly #links = new Map<number, Link>();
  readonly #lingering = new Set<Connection>();
  readonly #timers: Readonly<Record<PeerTimer, Deadline>>;
  readonly #events: FsmEvent[] = [];
  readonly #received = messageCounts();
  readonly #sent = messageCounts();
  readonly #errors = errorCounts();
  readonly #prefixes = new Map<FamilyName, number>();
  readonly #levels = new Map<FamilyName, PrefixLevel>();
  #config: PeerConfig;
  /** `#config` with defaults, until something that it depends on changes. */
  #settled: FsmConfig | undefined;
  #state: PeerState = INITIAL_STATE;
  #busy = false;
  #accepted: Socket | undefined;
  #up: Upstream | undefined;
  #since: number;
  #sessions = 0;
  #receivedOctets = 0;
  #lastError: LastError | undefined;
  #paused = false;
  #onIdle: (() => void)[] = [];

  constructor(config: PeerConfig, env: PeerEnvironment) {
    this.#config = config;
    this.#env = env;
    this.#since = env.clock.now();
    const timer = (name: PeerTimer): Deadline => new Deadline(env.clock, () => this.#dispatch({ kind: 'timer', timer: name }));
    this.#timers = { 'connect-retry': timer('connect-retry'), 'idle-hold': timer('idle-hold'), stability: timer('stability') };
  }

  get config(): PeerConfig {
    return this.#config;
  }

  get status(): PeerStatus {
    const up = this.#up;
    return {
      name: this.#config.name,
      address: printIp(this.#config.address),
      state: sessionState(this.#state),
      since: this.#since,
      negotiated: up?.negotiated,
      localAddress: up?.connection.localAddress,
      sessions: this.#sessions,
      received: { ...this.#received },
      sent: { ...this.#sent },
      receivedOctets: this.#receivedOctets,
      errors: { ...this.#errors },
      lastError: this.#lastError,
      prefixes: Object.fromEntries(this.#prefixes),
      sendPending: up?.connection.sendPending ?? 0,
      paused: this.#paused,
    };
  }

  start(): void {
    this.#dispatch({ kind: 'start' });
  }

  /** Ends the session and stays down; without a NOTIFICATION the peer may retain our routes. */
  stop(reason: 'admin' | 'peer-removed', notification: Notification | undefined): void {
    this.#dispatch({ kind: 'stop', reason, notification, hard: true });
  }

  /** Ends the session and starts again. */
  reset(reason: 'admin' | 'reconfigured', notification: Notification): void {
    this.#dispatch({ kind: 'reset', reason, notification, hard: false, restartAfter: 0 });
  }

  /** Takes a new configuration of the same name; true when that needs a new session, which the caller brings about with `reset`. */
  configure(config: PeerConfig): boolean {
    const before = this.#config;
    this.#config = config;
    this.#settled = undefined;
    if (needsNewSession(before, config)) return true;
    for (const [name, count] of this.#prefixes) this.setPrefixCount(name, count);
    if (before.passive && !config.passive) this.#dispatch({ kind: 'timer', timer: 'connect-retry' });
    return false;
  }

  /** Offers an accepted connection from the peer's address; false when the state machine does not want it and the caller is to close it. */
  accept(socket: Socket): boolean {
    this.#accepted = socket;
    this.#dispatch({ kind: 'tcp-accepted' });
    const taken = this.#accepted === undefined;
    this.#accepted = undefined;
    return taken;
  }

  pause(): void {
    this.#paused = true;
    for (const { connection } of this.#links.values()) connection.pause();
  }

  resume(): void {
    this.#paused = false;
    for (const { connection } of [...this.#links.values()]) connection.resume();
  }

  /** Encodes and queues a batch: all of it, or nothing. RangeError when it cannot be encoded. */
  sendUpdate(batch: UpdateBatch): 'queued' | 'full' | 'down' {
    const up = this.#up;
    if (!up) return 'down';
    const messages = [...encodeUpdate(batch, up.negotiated.send)];
    const [first, ...rest] = messages;
    if (first === undefined) return 'queued';
    if (!this.#offer(up, first)) return 'full';
    for (const message of rest) this.#send(up.connection, 'update', message);
    return 'queued';
  }

  /** Asks for the routes of a family again (RFC 2918); false when the peer cannot, or there is no session. */
  requestRefresh(name: FamilyName): boolean {
    const up = this.#up;
    if (!up?.negotiated.routeRefresh || !up.negotiated.families.includes(name)) return false;
    this.#sendRefresh(up.connection, name, 0);
    return true;
  }

  setPrefixCount(name: FamilyName, count: number): void {
    this.#prefixes.set(name, count);
    const limit = this.#config.maxPrefixes?.[name];
    const before = this.#levels.get(name) ?? 'clear';
    const level = limit ? prefixLevel(limit, count, before) : 'clear';
    if (level === before) return;
    this.#levels.set(name, level);
    if (!limit) return;
    this.#env.emit({ kind: 'max-prefixes', peer: this.#config.name, family: name, count, limit: limit.limit, level, action: limit.action });
    if (level !== 'exceeded' || limit.action !== 'restart' || !this.#up) return;
    const notification = maximumPrefixes(family(name), limit.limit);
    const restartAfter = limit.restartAfter;
    if (restartAfter === undefined) this.#dispatch({ kind: 'stop', reason: 'max-prefixes', notification, hard: true });
    else this.#dispatch({ kind: 'reset', reason: 'max-prefixes', notification, hard: true, restartAfter: restartAfter * 1000 });
  }

  /** Resolves when no finished connection lingers any more: after `stop`, when every socket is gone. */
  idle(): Promise<void> {
    if (this.#lingering.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  get #fsmConfig(): FsmConfig {
    const speaker = this.#env.speaker();
    this.#settled ??= fsmConfig(speaker, this.#config, speaker.restarting === true && this.#sessions === 0);
    return this.#settled;
  }

  /** Events that actions bring about wait until the actions of the present one are done. */
  #dispatch(event: FsmEvent): void {
    this.#events.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#events.shift(); next; next = this.#events.shift()) {
        const { state, actions } = step(this.#state, next, this.#fsmConfig, this.#env.clock.random());
        this.#state = state;
        for (const action of actions) this.#act(action);
      }
    } finally {
      this.#busy = false;
    }
  }

  #act(action: FsmAction): void {
    switch (action.kind) {
      case 'connect':
        this.#connect(action.id);
        return;
      case 'adopt':
        if (this.#accepted) this.#link(action.id, this.#accepted);
        this.#accepted = undefined;
        return;
      case 'refuse':
        return;
      case 'send':
        this.#sendMessage(action.id, action.message);
        return;
      case 'notify':
        this.#unlink(action.id, action.notification);
        return;
      case 'close':
        this.#unlink(action.id, undefined);
        return;
      case 'start-timer':
        this.#timers[action.timer].start(action.ms);
        return;
      case 'stop-timer':
        this.#timers[action.timer].stop();
        return;
      case 'start-connection-timer':
        this.#links.get(action.id)?.timers[action.timer].start(action.ms);
        return;
      case 'stop-connection-timer':
        this.#links.get(action.id)?.timers[action.timer].stop();
        return;
      case 'established':
        this.#established(action.id, action.negotiated);
        return;
      case 'down':
        this.#down(action);
        return;
      case 'failed': {
        const { reason, notification, detail } = action;
        this.#lastError = { at: this.#env.clock.now(), reason, notification, detail };
        this.#env.emit({ ...action, kind: 'attempt-failed', peer: this.#config.name });
        return;
      }
      case 'state':
        this.#since = this.#env.clock.now();
        this.#env.emit({ ...action, peer: this.#config.name });
        return;
    }
  }

  #connect(id: number): void {
    try {
      this.#link(id, this.#env.dial(this.#config));
    } catch (error) {
      this.#dispatch({ kind: 'tcp-failed', id, detail: error instanceof Error ? error.message : String(error) });
    }
  }

  #link(id: number, socket: Socket): void {
    const connection = new Connection(socket, this.#env.clock, this.#config.sendQueue ?? DEFAULT_SEND_QUEUE, {
      connected: () => this.#dispatch({ kind: 'tcp-connected', id }),
      message: (bytes) => this.#message(id, bytes),
      malformed: (error) => this.#malformed(id, error),
      failed: (detail) => this.#lost(id, detail),
      sendProgress: (idle) => this.#sendProgress(id, idle),
      drained: () => this.#drained(id),
    });
    const timer = (name: ConnectionTimer): Deadline => new Deadline(this.#env.clock, () => this.#timeout(id, name));
    const timers = {
      hold: timer('hold'),
      keepalive: timer('keepalive'),
      'delay-open': timer('delay-open'),
      'send-hold': timer('send-hold'),
    };
    this.#links.set(id, { id, connection, timers });
    if (this.#paused) connection.pause();
  }

  #forget(id: number): Link | undefined {
    const link = this.#links.get(id);
    if (!link) return undefined;
    this.#links.delete(id);
    for (const timer of Object.values(link.timers)) timer.stop();
    return link;
  }

  #lost(id: number, detail: string): void {
    this.#forget(id);
    this.#dispatch({ kind: 'tcp-failed', id, detail });
  }

  #unlink(id: number, notification: Notification | undefined): void {
    const link = this.#forget(id);
    if (!link) return;
    if (notification) this.#sent.notification++;
    const { connection } = link;
    this.#lingering.add(connection);
    connection.finish(notification && notificationBytes(notification), () => this.#gone(connection));
    if (this.#lingering.size <= MAX_LINGERING) return;
    const [oldest] = this.#lingering;
    oldest?.destroy();
  }

  #gone(connection: Connection): void {
    this.#lingering.delete(connection);
    if (this.#lingering.size > 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #timeout(id: number, timer: ConnectionTimer): void {
    if (timer !== 'hold') {
      this.#dispatch({ kind: 'connection-timer', id, timer });
      return;
    }
    // What the peer sent in time may still wait in the socket, after a busy turn of the event loop or while reading is paused.
    this.#env.clock.afterInput(() => {
      const hold = this.#links.get(id)?.timers.hold;
      if (!hold || hold.running) return;
      if (this.#paused) hold.start((this.#up?.negotiated.holdTime ?? 1) * 1000);
      else this.#dispatch({ kind: 'connection-timer', id, timer });
    });
  }

  #message(id: number, bytes: Uint8Array): void {
    const kind = messageKind(bytes[18] ?? 0);
    if (kind === undefined) return;
    this.#received[kind]++;
    this.#receivedOctets += bytes.length;
    const up = this.#up?.id === id ? this.#up : undefined;
    // An UPDATE before the session is up is an error of the state machine, whatever is in it.
    if (kind === 'update' && !up) {
      this.#dispatch({ kind: 'update', id });
      return;
    }
    let message: Message;
    try {
      message = decodeMessage(bytes, up?.negotiated.receive ?? NO_CONTEXT, up?.cache);
    } catch (error) {
      if (!(error instanceof BgpError)) throw error;
      this.#malformed(id, error);
      return;
    }
    this.#deliver(id, up, message);
  }

  #deliver(id: number, up: Upstream | undefined, message: Message): void {
    switch (message.kind) {
      case 'open':
        this.#dispatch({ kind: 'open', id, open: message });
        this.#agree(id);
        return;
      case 'keepalive':
        this.#dispatch({ kind: 'keepalive', id });
        return;
      case 'notification':
        this.#dispatch({ kind: 'notification', id, notification: { code: message.code, subcode: message.subcode, data: message.data } });
        return;
      case 'route-refresh':
        this.#dispatch({ kind: 'route-refresh', id });
        if (up) this.#refreshAsked(up, message);
        return;
      case 'update': {
        this.#dispatch({ kind: 'update', id });
        if (!up) return;
        if (message.errors.length > 0) this.#updateErrors(up, message.errors);
        const update = up.filter(message);
        this.#env.emit({ kind: 'update', peer: this.#config.name, update, receivedAt: this.#env.clock.now() });
        return;
      }
    }
  }

  /** Long messages are read as soon as both OPENs are there: the peer may send some right behind its KEEPALIVE. */
  #agree(id: number): void {
    const negotiated = this.#state.connections.find((c) => c.id === id)?.negotiated;
    const link = this.#links.get(id);
    if (negotiated && link) link.connection.extendedMessage = negotiated.receive.extendedMessage;
  }

  #updateErrors(up: Upstream, errors: readonly MessageError[]): void {
    for (const { action } of errors) this.#errors[action]++;
    this.#env.emit({ kind: 'error', peer: this.#config.name, errors });
    for (const name of up.disable(errors)) this.#env.emit({ kind: 'family-disabled', peer: this.#config.name, family: name });
  }

  #malformed(id: number, error: BgpError): void {
    this.#errors['session-reset']++;
    this.#dispatch({ kind: 'malformed', id, notification: error.notification, detail: error.message });
  }

  #established(id: number, negotiated: Negotiated): void {
    const link = this.#links.get(id);
    if (!link) return;
    this.#sessions++;
    this.#settled = undefined;
    this.#levels.clear();
    this.#prefixes.clear();
    const { connection } = link;
    const up = new Upstream(id, connection, negotiated);
    this.#up = up;
    const { peerOpen, gracefulRestart } = negotiated;
    const { localAddress } = connection;
    this.#env.emit({ kind: 'established', peer: this.#config.name, negotiated, peerOpen, gracefulRestart, localAddress });
    if (this.#up !== up) return;
    if (this.#env.announcer) this.#env.announcer.established(this.#outgoing(up));
    else
      for (const name of negotiated.families)
        this.#send(
          connection,
          'update',
          bytesOf((w) => encodeEndOfRib(w, name)),
        );
  }

  #outgoing(up: Upstream): OutgoingSession {
    return {
      peer: this.#config.name,
      context: up.negotiated.send,
      enhancedRefresh: up.negotiated.enhancedRouteRefresh,
      localAddress: up.connection.localAddress,
      send: (message) => {
        if (this.#up !== up) return 'down';
        return this.#offer(up, message) ? 'queued' : 'full';
      },
    };
  }

  #down(action: Extract<FsmAction, { kind: 'down' }>): void {
    const { reason, notification, detail, retain } = action;
    this.#up = undefined;
    this.#lastError = { at: this.#env.clock.now(), reason, notification, detail };
    this.#env.announcer?.down(this.#config.name);
    this.#env.emit({ kind: 'down', peer: this.#config.name, reason, notification, detail, graceful: retain.length > 0, retain });
  }

  #refreshAsked(up: Upstream, message: Extract<Message, { kind: 'route-refresh' }>): void {
    this.#env.emit({ kind: 'route-refresh', peer: this.#config.name, message, receivedAt: this.#env.clock.now() });
    const name = familyOf(message.family.afi, message.family.safi)?.name;
    if (message.subtype !== 0 || name === undefined || this.#up !== up || !up.negotiated.families.includes(name)) return;
    if (this.#env.announcer) this.#env.announcer.refresh(this.#config.name, name);
    else if (up.negotiated.enhancedRouteRefresh) {
      // There is nothing to send again, and the peer learns so (RFC 7313 section 4).
      this.#sendRefresh(up.connection, name, 1);
      this.#sendRefresh(up.connection, name, 2);
    }
  }

  #sendRefresh(connection: Connection, name: FamilyName, subtype: number): void {
    const { afi, safi } = family(name);
    const bytes = bytesOf((w) => encodeRouteRefresh(w, { family: { afi, safi }, subtype }));
    this.#send(connection, 'route-refresh', bytes);
  }

  #sendMessage(id: number, message: Message): void {
    const link = this.#links.get(id);
    if (!link) return;
    const bytes = message.kind === 'keepalive' ? KEEPALIVE : bytesOf((w) => encodeMessage(w, message, NO_CONTEXT));
    this.#send(link.connection, message.kind, bytes);
  }

  #send(connection: Connection, kind: Message['kind'], bytes: Uint8Array): void {
    this.#sent[kind]++;
    connection.send(bytes);
    this.#watchSending();
  }

  #offer(up: Upstream, bytes: Uint8Array): boolean {
    if (!up.connection.offer(bytes)) return false;
    this.#sent[messageKind(bytes[18] ?? 0) ?? 'update']++;
    this.#watchSending();
    return true;
  }

  /** Something waits to be sent: progress is expected within the send hold time (RFC 9687). */
  #watchSending(): void {
    const up = this.#up;
    const timer = up && this.#links.get(up.id)?.timers['send-hold'];
    if (up && timer && !timer.running) timer.start(up.negotiated.sendHoldTime);
  }

  #sendProgress(id: number, idle: boolean): void {
    const timer = this.#links.get(id)?.timers['send-hold'];
    if (!timer || this.#up?.id !== id) return;
    if (idle) timer.stop();
    else timer.start(this.#up.negotiated.sendHoldTime);
  }

  #drained(id: number): void {
    if (this.#up?.id !== id) return;
    this.#env.announcer?.drained(this.#config.name);
    this.#env.emit({ kind: 'drain', peer: this.#config.name });
  }
}
