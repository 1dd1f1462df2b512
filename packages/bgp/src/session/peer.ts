import type { Socket } from 'node:net';
import { printIp } from '@weir/wire/inet';
import {
  BgpError,
  decodeMessage,
  encodeUpdate,
  type FamilyName,
  family,
  familyOf,
  type KeepaliveMessage,
  type Message,
  type MessageError,
  messageKind,
  type Notification,
  notificationBytes,
  type OpenMessage,
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
import { DEFAULT_SEND_QUEUE, fsmConfig, needsNewSession, type PeerConfig } from './config.ts';
import { Deadline } from './deadline.ts';
import { Links } from './links.ts';
import { endOfRibBytes, openBytes, refreshBytes } from './message-bytes.ts';
import type { PeerEnvironment } from './peer-environment.ts';
import { maximumPrefixes, PrefixCounts } from './prefix-limit.ts';
import { PeerCounters, type PeerStatus } from './stats.ts';
import { Upstream } from './upstream.ts';

/** Before OPENs are exchanged only messages that no agreement bears upon are decoded. */
const NO_CONTEXT = sessionContext();

/** Runs the state machine of one peer: carries out its actions on sockets and timers, and feeds it what happens to them. */
export class Peer {
  readonly #env: PeerEnvironment;
  readonly #links: Links;
  readonly #timers: Readonly<Record<PeerTimer, Deadline>>;
  readonly #events: FsmEvent[] = [];
  readonly #counters = new PeerCounters();
  readonly #prefixes = new PrefixCounts();
  #config: PeerConfig;
  /** `#config` with defaults, until something that it depends on changes. */
  #settled: FsmConfig | undefined;
  #state: PeerState = INITIAL_STATE;
  #busy = false;
  #accepted: Socket | undefined;
  #up: Upstream | undefined;
  #since: number;

  constructor(config: PeerConfig, env: PeerEnvironment) {
    this.#config = config;
    this.#env = env;
    this.#since = env.clock.now();
    const timer = (name: PeerTimer): Deadline => new Deadline(env.clock, () => this.#dispatch({ kind: 'timer', timer: name }));
    this.#timers = { 'connect-retry': timer('connect-retry'), 'idle-hold': timer('idle-hold'), stability: timer('stability') };
    this.#links = new Links(env.clock, {
      connected: (id) => this.#dispatch({ kind: 'tcp-connected', id }),
      message: (id, bytes) => this.#message(id, bytes),
      malformed: (id, error) => this.#malformed(id, error),
      lost: (id, detail) => this.#dispatch({ kind: 'tcp-failed', id, detail }),
      timeout: (id, timer) => this.#timeout(id, timer),
      sendProgress: (id, idle) => {
        if (this.#up?.id === id) this.#up.sendProgress(idle);
      },
      drained: (id) => this.#drained(id),
    });
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
      ...this.#counters.copy(),
      prefixes: this.#prefixes.all,
      sendPending: up?.connection.sendPending ?? 0,
      paused: this.#links.paused,
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
    for (const [name, count] of this.#prefixes.entries()) this.setPrefixCount(name, count);
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
    this.#links.pause();
  }

  resume(): void {
    this.#links.resume();
  }

  /** Encodes and queues a batch: all of it, or nothing. RangeError when it cannot be encoded. */
  sendUpdate(batch: UpdateBatch): 'queued' | 'full' | 'down' {
    const up = this.#up;
    if (!up) return 'down';
    const messages = [...encodeUpdate(batch, up.negotiated.send)];
    const [first, ...rest] = messages;
    if (first === undefined) return 'queued';
    if (!up.offer(first)) return 'full';
    for (const message of rest) up.send('update', message);
    return 'queued';
  }

  /** Asks for the routes of a family again (RFC 2918); false when the peer cannot, or there is no session. */
  requestRefresh(name: FamilyName): boolean {
    const up = this.#up;
    if (!up?.negotiated.routeRefresh || !up.negotiated.families.includes(name)) return false;
    up.send('route-refresh', refreshBytes(name, 0));
    return true;
  }

  setPrefixCount(name: FamilyName, count: number): void {
    const limit = this.#config.maxPrefixes?.[name];
    const level = this.#prefixes.set(name, count, limit);
    if (!limit || level === undefined) return;
    this.#env.emit({ kind: 'max-prefixes', peer: this.#config.name, family: name, count, limit: limit.limit, level, action: limit.action });
    if (level !== 'exceeded' || limit.action !== 'restart' || !this.#up) return;
    const notification = maximumPrefixes(family(name), limit.limit);
    const restartAfter = limit.restartAfter;
    if (restartAfter === undefined) this.#dispatch({ kind: 'stop', reason: 'max-prefixes', notification, hard: true });
    else this.#dispatch({ kind: 'reset', reason: 'max-prefixes', notification, hard: true, restartAfter: restartAfter * 1000 });
  }

  /** Resolves when no finished connection lingers any more: after `stop`, when every socket is gone. */
  idle(): Promise<void> {
    return this.#links.idle();
  }

  get #fsmConfig(): FsmConfig {
    const speaker = this.#env.speaker();
    this.#settled ??= fsmConfig(speaker, this.#config, speaker.restarting === true && this.#counters.sessions === 0);
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
        if (this.#accepted) this.#links.add(action.id, this.#accepted, this.#sendLimit);
        this.#accepted = undefined;
        return;
      case 'refuse':
        return;
      case 'send':
        this.#sendMessage(action.id, action.message);
        return;
      case 'notify':
        if (this.#links.get(action.id)) this.#counters.sent.notification++;
        this.#links.finish(action.id, notificationBytes(action.notification));
        return;
      case 'close':
        this.#links.finish(action.id, undefined);
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
        this.#counters.lastError = { at: this.#env.clock.now(), reason, notification, detail };
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
      this.#links.add(id, this.#env.dial(this.#config), this.#sendLimit);
    } catch (error) {
      this.#dispatch({ kind: 'tcp-failed', id, detail: error instanceof Error ? error.message : String(error) });
    }
  }

  get #sendLimit(): number {
    return this.#config.sendQueue ?? DEFAULT_SEND_QUEUE;
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
      if (this.#links.paused) hold.start((this.#up?.negotiated.holdTime ?? 1) * 1000);
      else this.#dispatch({ kind: 'connection-timer', id, timer });
    });
  }

  #message(id: number, bytes: Uint8Array): void {
    const kind = messageKind(bytes[18] ?? 0);
    if (kind === undefined) return;
    this.#counters.receive(kind, bytes.length);
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
    for (const { action } of errors) this.#counters.errors[action]++;
    this.#env.emit({ kind: 'error', peer: this.#config.name, errors });
    for (const name of up.disable(errors)) this.#env.emit({ kind: 'family-disabled', peer: this.#config.name, family: name });
  }

  #malformed(id: number, error: BgpError): void {
    this.#counters.errors['session-reset']++;
    this.#dispatch({ kind: 'malformed', id, notification: error.notification, detail: error.message });
  }

  #established(id: number, negotiated: Negotiated): void {
    const link = this.#links.get(id);
    if (!link) return;
    this.#counters.sessions++;
    this.#settled = undefined;
    this.#prefixes.clear();
    const { sent } = this.#counters;
    const up = new Upstream(id, link.connection, negotiated, { sent, sendHold: () => this.#links.get(id)?.timers['send-hold'] });
    this.#up = up;
    const { peerOpen, gracefulRestart } = negotiated;
    const { localAddress } = link.connection;
    this.#env.emit({ kind: 'established', peer: this.#config.name, negotiated, peerOpen, gracefulRestart, localAddress });
    if (this.#up !== up) return;
    if (this.#env.announcer) this.#env.announcer.established(up.outgoing(this.#config.name, () => this.#up === up));
    else for (const name of negotiated.families) up.send('update', endOfRibBytes(name));
  }

  #down(action: Extract<FsmAction, { kind: 'down' }>): void {
    const { reason, notification, detail, retain } = action;
    this.#up = undefined;
    this.#counters.lastError = { at: this.#env.clock.now(), reason, notification, detail };
    this.#env.announcer?.down(this.#config.name, reason);
    this.#env.emit({ kind: 'down', peer: this.#config.name, reason, notification, detail, graceful: retain.length > 0, retain });
  }

  #refreshAsked(up: Upstream, message: Extract<Message, { kind: 'route-refresh' }>): void {
    this.#env.emit({ kind: 'route-refresh', peer: this.#config.name, message, receivedAt: this.#env.clock.now() });
    const name = familyOf(message.family.afi, message.family.safi)?.name;
    if (message.subtype !== 0 || name === undefined || this.#up !== up || !up.negotiated.families.includes(name)) return;
    if (this.#env.announcer) this.#env.announcer.refresh(this.#config.name, name);
    else if (up.negotiated.enhancedRouteRefresh) {
      // There is nothing to send again, and the peer learns so (RFC 7313 section 4).
      up.send('route-refresh', refreshBytes(name, 1));
      up.send('route-refresh', refreshBytes(name, 2));
    }
  }

  #sendMessage(id: number, message: OpenMessage | KeepaliveMessage): void {
    const connection = this.#links.get(id)?.connection;
    if (!connection) return;
    if (this.#up?.id === id) this.#up.send(message.kind, openBytes(message));
    else {
      this.#counters.sent[message.kind]++;
      connection.send(openBytes(message));
    }
  }

  #drained(id: number): void {
    if (this.#up?.id !== id) return;
    this.#env.announcer?.drained(this.#config.name);
    this.#env.emit({ kind: 'drain', peer: this.#config.name });
  }
}
