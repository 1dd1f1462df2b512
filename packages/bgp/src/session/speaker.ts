import type { Socket } from 'node:net';
import { SystemError } from '@weir/sys';
import { type Ip, printIp } from '@weir/wire/inet';
import { CeaseSubcode, ErrorCode, type FamilyName, type Notification, shutdownNotification, type UpdateBatch } from '../codec/index.ts';
import type { DownReason } from '../fsm/index.ts';
import { type Clock, systemClock } from './clock.ts';
import { type ListenConfig, type PeerConfig, SessionConfigError, type SpeakerConfig } from './config.ts';
import { type Call, type DynamicPeers, dynamicPeer, groupOf, PresentPeers, rangePeer } from './dynamic-peers.ts';
import type { SessionEvent } from './event.ts';
import { Listener, type ListenerPeer } from './listener.ts';
import { Peer } from './peer.ts';
import { PeerTable } from './peer-table.ts';
import type { PeerStatus } from './stats.ts';
import { dial, prepareAccepted, socketAddress } from './tcp.ts';
import { checkPeer, checkSpeaker } from './validate.ts';

/** Milliseconds from the start in which peers that nobody names are told of a restart. */
const RESTARTING = 300_000;

/** How a session is ended on purpose. */
export interface StopOptions {
  /** Shutdown communication for the peer's operator (RFC 9003), cut at 255 octets. */
  readonly message?: string;
  /** Just closes the connection: a peer that does graceful restart retains our routes. For a restart of our own. */
  readonly silent?: boolean;
}

/** One listening address. */
export interface ListenStatus {
  readonly address: string;
  /** While listening. */
  readonly port: number | undefined;
}

/**
 * A BGP speaker: sessions with all configured peers, on sockets of one network namespace. Everything it learns goes to `sink`, in order and on the
 * same turn as it arrives; what `sink` throws is not caught. Sink and operations may call each other.
 */
export class BgpSpeaker {
  readonly #sink: (event: SessionEvent) => void;
  readonly #clock: Clock;
  readonly #peers = new PeerTable<Peer>();
  readonly #leaving = new Set<Peer>();
  /** Those of `#peers` that have come by themselves. */
  readonly #present: PresentPeers;
  #config: SpeakerConfig;
  #listeners: Listener[] = [];
  #unknownConnections = 0;
  #running = false;
  /** When it was started. */
  #since = 0;
  #closing: Promise<void> | undefined;

  /** Throws SessionConfigError. Nothing happens until `start`. */
  constructor(config: SpeakerConfig, sink: (event: SessionEvent) => void, clock: Clock = systemClock) {
    checkSpeaker(config);
    this.#config = config;
    this.#sink = sink;
    this.#clock = clock;
    this.#present = new PresentPeers(clock, (name) => this.#forget(name));
    for (const peer of config.peers) this.#peers.add(this.#peer(peer));
  }

  get config(): SpeakerConfig {
    return this.#config;
  }

  /** Connections from addresses that are no peer's, or beyond the limit of their range, closed at once. */
  get unknownConnections(): number {
    return this.#unknownConnections;
  }

  get listening(): readonly ListenStatus[] {
    return this.#listeners.map((listener) => ({ address: printIp(listener.config.address), port: listener.port }));
  }

  /** Starts listening, and every peer. */
  start(): void {
    if (this.#running || this.#closing) return;
    this.#running = true;
    this.#since = this.#clock.now();
    this.#openListeners(this.#config.listen ?? []);
    for (const peer of this.#peers.values()) peer.start();
  }

  /** Starts a peer that was stopped. */
  startPeer(name: string): void {
    this.#get(name).start();
  }

  /**
   * Calls a peer of a range that was there before a restart of ours, from the address that it knew us by; false where there is none of that address, it has a session, or it is not to be called. It is
   * forgotten like others where nothing comes of it.
   */
  recall(address: Ip, source: Ip | undefined): boolean {
    const group = groupOf(this.#config.dynamic ?? [], address);
    if (group?.callPort === undefined || this.#peers.match(address, source)) return false;
    return this.#newcomer(group, address, { source }) !== undefined;
  }

  /** Ends a peer's session with Cease/Administrative Shutdown; it stays down until `startPeer`. */
  stopPeer(name: string, options: StopOptions = {}): void {
    this.#get(name).stop('admin', shutdown(options));
  }

  /** Ends a peer's session with Cease/Administrative Reset; it comes up again at once. */
  resetPeer(name: string, message?: string): void {
    this.#get(name).reset('admin', shutdownNotification(CeaseSubcode.administrativeReset, message));
  }

  /** Adds a peer, and starts it when the speaker runs. Throws SessionConfigError. */
  addPeer(config: PeerConfig): void {
    const next = { ...this.#config, peers: [...this.#config.peers, config] };
    checkSpeaker(next);
    this.#config = next;
    this.#forgetWhereNamed(next);
    const peer = this.#peer(config);
    this.#peers.add(peer);
    this.#updateListeners();
    if (this.#running) peer.start();
  }

  /** Ends a peer's session with Cease/Peer De-configured and forgets the peer. */
  removePeer(name: string): void {
    const peer = this.#get(name);
    this.#leave(peer);
    this.#config = { ...this.#config, peers: this.#config.peers.filter((p) => p.name !== name) };
    this.#updateListeners();
  }

  /**
   * Changes to a new configuration. Peers whose offer or transport is affected get a new session (Cease/Other Configuration Change), the others do not
   * notice. The namespace and the announcer stay what they were. Throws SessionConfigError and changes nothing when it cannot be run.
   */
  reconfigure(next: SpeakerConfig): void {
    checkSpeaker(next);
    if (next.namespace !== this.#config.namespace) throw new SessionConfigError('the network namespace cannot change while running');
    const before = this.#config;
    this.#config = { ...next, ...(before.announcer ? { announcer: before.announcer } : {}) };
    const identity = before.routerId !== next.routerId && printIp(before.routerId) !== printIp(next.routerId);
    this.#forgetWhereNamed(next);
    const present = this.#stillPresent(next);
    const wanted = new Set([...next.peers, ...present].map((peer) => peer.name));
    for (const peer of [...this.#peers.values()]) {
      const { name } = peer.config;
      if (wanted.has(name)) continue;
      if (this.#present.has(name)) this.#forget(name);
      else this.#leave(peer);
    }
    const added: Peer[] = [];
    const changed: Peer[] = [];
    for (const config of [...next.peers, ...present]) {
      const peer = this.#peers.get(config.name);
      if (!peer) {
        const made = this.#peer(config);
        this.#peers.add(made);
        added.push(made);
        continue;
      }
      const otherAs = config.localAs === undefined && before.localAs !== next.localAs;
      if (peer.configure(config) || identity || otherAs) changed.push(peer);
    }
    this.#peers.readdress();
    this.#relisten(next.listen ?? []);
    const notification = cease(CeaseSubcode.otherConfigurationChange);
    for (const peer of changed) peer.reset('reconfigured', notification);
    if (this.#running) for (const peer of added) peer.start();
  }

  /** Asks a peer to send a family again (RFC 2918); false when it is not up or cannot. */
  requestRefresh(name: string, family: FamilyName): boolean {
    return this.#get(name).requestRefresh(family);
  }

  /** Queues announcements and withdrawals: all of the batch or nothing. `full`: a `drain` event follows. RangeError when it cannot be encoded. */
  sendUpdate(name: string, batch: UpdateBatch): 'queued' | 'full' | 'down' {
    return this.#get(name).sendUpdate(batch);
  }

  /** Reads no more from a peer until `resume`; its hold timer waits too. For a consumer that is behind. */
  pause(name: string): void {
    this.#get(name).pause();
  }

  resume(name: string): void {
    this.#get(name).resume();
  }

  /** Tells how many prefixes of a family the consumer holds of a peer; checked against `maxPrefixes`. Starts from 0 with every session. */
  setPrefixCount(name: string, family: FamilyName, count: number): void {
    this.#get(name).setPrefixCount(family, count);
  }

  status(name: string): PeerStatus {
    return this.#get(name).status;
  }

  get peers(): readonly PeerStatus[] {
    return [...this.#peers.values()].map((peer) => peer.status);
  }

  /** Ends every session and stops listening. Resolves when all sockets are gone, at most three seconds later. Idempotent. */
  close(options: StopOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close(options: StopOptions): Promise<void> {
    this.#running = false;
    this.#present.close();
    const peers = [...this.#peers.values(), ...this.#leaving];
    for (const peer of this.#peers.values()) peer.stop('admin', shutdown(options));
    const listeners = this.#listeners;
    this.#listeners = [];
    await Promise.all([...listeners.map((listener) => listener.close()), ...peers.map((peer) => peer.idle())]);
  }

  #peer(config: PeerConfig, restarting = true): Peer {
    checkPeer(this.#config, config);
    return new Peer(config, {
      clock: this.#clock,
      emit: (event) => {
        if (event.kind === 'state') this.#present.changed(event.peer, event.to === 'Established');
        if (event.kind === 'down') this.#callBack(event.peer, event.reason);
        if (event.kind === 'established') this.#present.setCall(event.peer, { source: socketAddress(event.localAddress) });
        this.#sink(event);
      },
      speaker: () => (restarting ? this.#config : { ...this.#config, restarting }),
      announcer: this.#config.announcer,
      dial: (peer) => dial(peer, peer.localAs ?? this.#config.localAs, this.#config.namespace),
    });
  }

  #get(name: string): Peer {
    const peer = this.#peers.get(name);
    if (!peer) throw new SessionConfigError('no such peer', name);
    return peer;
  }

  /** The peer is still known to operations while its last events are delivered. */
  #leave(peer: Peer): void {
    peer.stop('peer-removed', cease(CeaseSubcode.peerDeconfigured));
    this.#peers.delete(peer);
    this.#leaving.add(peer);
    void peer.idle().then(() => this.#leaving.delete(peer));
  }

  #whoConnects(remote: Ip, local: Ip | undefined, listener: Listener): Peer | undefined {
    const known = this.#peers.match(remote, local);
    if (known && !this.#present.has(known.config.name)) return listener.admits(known.config.name) ? known : undefined;
    const group = groupOf(this.#config.dynamic ?? [], remote);
    return group && listener.admits(rangePeer(group).name) ? (known ?? this.#newcomer(group, remote)) : undefined;
  }

  /** Whoever connects from a range is a peer from then on. */
  #newcomer(group: DynamicPeers, address: Ip, call?: Call): Peer | undefined {
    if (!this.#running || !this.#present.makeRoom(group)) return undefined;
    const config = dynamicPeer(group, address, call);
    // One that comes late was not there before the start, or was told of it in a session that is forgotten.
    const peer = this.#peer(config, this.#clock.now() - this.#since < RESTARTING);
    this.#peers.add(peer);
    this.#present.add(group, config.name, call);
    this.#sink({ kind: 'peer-added', peer: config.name, group: group.name, address });
    peer.start();
    return peer;
  }

  /** A session was lost: one that the peer did not end is called for, another is waited for. */
  #callBack(name: string, reason: DownReason): void {
    const peer = this.#peers.get(name);
    const call = this.#present.callOf(name);
    if (!peer || !call || !this.#running) return;
    const group = groupOf(this.#config.dynamic ?? [], peer.config.address);
    if (group) peer.configure(dynamicPeer(group, peer.config.address, reason === 'notification-received' ? undefined : call));
  }

  #forget(name: string): void {
    const peer = this.#peers.get(name);
    this.#present.remove(name);
    if (!peer) return;
    this.#leave(peer);
    this.#sink({ kind: 'peer-forgotten', peer: name });
  }

  /** A peer that is now named one by one is no longer one of its range. */
  #forgetWhereNamed({ peers }: SpeakerConfig): void {
    const addresses = new Set(peers.map(({ address }) => printIp(address)));
    const names = new Set(peers.map(({ name }) => name));
    for (const name of this.#present.names()) {
      const address = this.#peers.get(name)?.config.address;
      if (names.has(name) || (address && addresses.has(printIp(address)))) this.#forget(name);
    }
  }

  /** Those that have come by themselves and may stay, as what they are in another configuration. */
  #stillPresent({ dynamic = [] }: SpeakerConfig): readonly PeerConfig[] {
    return this.#present.names().flatMap((name) => {
      const { address, passive } = this.#peers.get(name)?.config ?? {};
      const group: DynamicPeers | undefined = address && groupOf(dynamic, address);
      const config = group && address && dynamicPeer(group, address, passive ? undefined : this.#present.callOf(name));
      return config?.name === name ? [config] : [];
    });
  }

  #openListeners(configs: readonly ListenConfig[]): void {
    for (const config of configs) {
      const listener = new Listener(config, {
        clock: this.#clock,
        namespace: this.#config.namespace,
        emit: this.#sink,
        accepted: (socket, from) => this.#accepted(socket, from),
      });
      this.#listeners.push(listener);
      listener.setPeers(this.#listenerPeers());
      listener.open();
    }
  }

  #relisten(configs: readonly ListenConfig[]): void {
    if (!this.#running) return;
    const key = ({ address, port, device }: ListenConfig): string => `${printIp(address)} ${port} ${device}`;
    const wanted = new Set(configs.map(key));
    const present = new Set(this.#listeners.map((listener) => key(listener.config)));
    for (const listener of this.#listeners) if (!wanted.has(key(listener.config))) void listener.close();
    this.#listeners = this.#listeners.filter((listener) => wanted.has(key(listener.config)));
    this.#openListeners(configs.filter((config) => !present.has(key(config))));
    this.#updateListeners();
  }

  #updateListeners(): void {
    const peers = this.#listenerPeers();
    for (const listener of this.#listeners) listener.setPeers(peers);
  }

  #listenerPeers(): readonly ListenerPeer[] {
    const { peers, dynamic = [], localAs } = this.#config;
    return [...peers, ...dynamic.map(rangePeer)].map((config) => ({ config, localAs: config.localAs ?? localAs }));
  }

  #accepted(socket: Socket, listener: Listener): void {
    const remote = socketAddress(socket.remoteAddress);
    const peer = remote && this.#whoConnects(remote, socketAddress(socket.localAddress), listener);
    if (!peer) {
      this.#unknownConnections++;
      refuse(socket);
      return;
    }
    try {
      const ready = prepareAccepted(socket, peer.config, peer.config.localAs ?? this.#config.localAs);
      if (!ready || !peer.accept(socket)) refuse(socket);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      refuse(socket);
    }
  }
}

/** A reset leaves nothing behind in the kernel either. */
function refuse(socket: Socket): void {
  socket.on('error', () => socket.destroy());
  socket.resetAndDestroy();
}

function shutdown(options: StopOptions): Notification | undefined {
  return options.silent ? undefined : shutdownNotification(CeaseSubcode.administrativeShutdown, options.message);
}

function cease(subcode: number): Notification {
  return { code: ErrorCode.cease, subcode, data: new Uint8Array(0) };
}
