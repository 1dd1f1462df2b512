import { createServer, type Server, type Socket } from 'node:net';
import { closeFd, openTcpListener, SystemError, setMd5Key, setMinTtl, socketFd } from '@weir/sys';
import { type Asn, printIp } from '@weir/wire/inet';
import type { Clock, ClockTimer } from './clock.ts';
import { BGP_PORT, type ListenConfig, type PeerConfig } from './config.ts';
import type { SessionEvent } from './event.ts';
import { inside, MAX_TTL, TOS_CS6, timeToLive } from './tcp.ts';

/** Milliseconds between attempts to listen. */
const RETRY = 15_000;
/** Connections that wait to be accepted: many come at once where we were away. The kernel's own limit (net.core.somaxconn) is mostly this. */
const BACKLOG = 4096;

/** Whoever may connect: a peer, or all of a range, which has a length. */
export interface ListenerPeer {
  readonly config: PeerConfig & { readonly length?: number };
  readonly localAs: Asn;
}

export interface ListenerEnvironment {
  readonly clock: Clock;
  readonly namespace: string | undefined;
  readonly emit: (event: SessionEvent) => void;
  readonly accepted: (socket: Socket, listener: Listener) => void;
}

/** Listens on one address, with the keys of the peers of its address family, and tries again when it cannot. */
export class Listener {
  readonly config: ListenConfig;
  readonly #env: ListenerEnvironment;
  /** Passwords that are set, by peer name. */
  readonly #keys = new Map<string, ListenerPeer['config']>();
  readonly #unkeyed = new Set<string>();
  #peers: readonly ListenerPeer[] = [];
  #server: Server | undefined;
  #retry: ClockTimer | undefined;
  #reported = '';
  #closed = false;

  constructor(config: ListenConfig, env: ListenerEnvironment) {
    this.config = config;
    this.#env = env;
  }

  /** The port it listens on, once it does. */
  get port(): number | undefined {
    const address = this.#server?.address();
    return address && typeof address === 'object' ? address.port : undefined;
  }

  /** Whether connections of a peer may be accepted: not when it has a password that could not be set here. */
  admits(peer: string): boolean {
    return !this.#unkeyed.has(peer);
  }

  open(): void {
    if (this.#closed || this.#server) return;
    const { address, port = BGP_PORT, device } = this.config;
    try {
      // Answers to a connecting peer that demands 255 (RFC 5082) come from this socket, before the connection has options of its own.
      const options = { address, port, ttl: MAX_TTL, tos: TOS_CS6, ...(device === undefined ? {} : { device }) };
      this.#serve(inside(this.#env.namespace, () => openTcpListener(options)));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#failed(error);
    }
  }

  #serve(fd: number): void {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: false }, (socket) => this.#env.accepted(socket, this));
    this.#server = server;
    this.#keys.clear();
    this.#applyOptions(fd);
    server.on('error', (error: Error) => {
      if (this.#server === server) this.#server = undefined;
      server.close();
      this.#failed(error);
    });
    server.on('listening', () => {
      this.#reported = '';
      if (!this.#closed) this.#env.emit({ kind: 'listening', address: printIp(this.config.address), port: this.port ?? 0 });
    });
    try {
      server.listen({ fd, backlog: BACKLOG });
    } catch (error) {
      this.#server = undefined;
      closeFd(fd);
      throw error;
    }
  }

  /** Reports a failure once, until it changes, and tries again later. */
  #failed(error: Error): void {
    if (this.#closed) return;
    const { address, port = BGP_PORT } = this.config;
    if (error.message !== this.#reported) {
      this.#reported = error.message;
      this.#env.emit({ kind: 'listen-failed', address: printIp(address), port, error });
    }
    this.#retry?.cancel();
    this.#retry = this.#env.clock.setTimer(RETRY, () => this.open());
  }

  /** Sets the keys and the least time to live for these peers, and removes those of others. */
  setPeers(peers: readonly ListenerPeer[]): void {
    this.#peers = peers.filter(({ config }) => config.address.family === this.config.address.family);
    const fd = this.#server && socketFd(this.#server);
    if (fd !== undefined) this.#applyOptions(fd);
  }

  #applyOptions(fd: number): void {
    const wanted = new Map(this.#peers.map(({ config }) => [config.name, config]));
    for (const [name, before] of this.#keys) {
      const after = wanted.get(name);
      if (after?.password === before.password && after?.address === before.address && after.length === before.length) continue;
      this.#keys.delete(name);
      this.#setKey(fd, before, '');
    }
    this.#unkeyed.clear();
    for (const config of wanted.values()) {
      if (config.password === undefined || this.#keys.has(config.name)) continue;
      if (this.#setKey(fd, config, config.password)) this.#keys.set(config.name, config);
      else this.#unkeyed.add(config.name);
    }
    // The strictest floor that suits every peer guards the handshake too; each connection gets its own afterwards.
    const floors = this.#peers.map(({ config, localAs }) => timeToLive(config, localAs).minTtl ?? 0);
    setMinTtl(fd, this.config.address.family, floors.length === 0 ? 0 : Math.min(...floors));
  }

  #setKey(fd: number, peer: ListenerPeer['config'], password: string): boolean {
    try {
      setMd5Key(fd, { address: peer.address, password, ...(peer.length === undefined ? {} : { length: peer.length }) });
      return true;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#env.emit({ kind: 'key-failed', peer: peer.name, address: printIp(this.config.address), error });
      return false;
    }
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    const server = this.#server;
    this.#server = undefined;
    if (!server) return Promise.resolve();
    return new Promise((resolve) => server.close(() => resolve()));
  }
}
