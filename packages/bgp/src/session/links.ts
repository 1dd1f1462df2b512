import type { Socket } from 'node:net';
import type { BgpError } from '../codec/index.ts';
import type { ConnectionTimer } from '../fsm/index.ts';
import type { Clock } from './clock.ts';
import { Connection } from './connection.ts';
import { Deadline } from './deadline.ts';

/** A connection of a peer and its timers. */
export interface Link {
  readonly id: number;
  readonly connection: Connection;
  readonly timers: Readonly<Record<ConnectionTimer, Deadline>>;
}

export interface LinkHandlers {
  readonly connected: (id: number) => void;
  readonly message: (id: number, bytes: Uint8Array) => void;
  readonly malformed: (id: number, error: BgpError) => void;
  /** The connection is gone, and forgotten. */
  readonly lost: (id: number, detail: string) => void;
  readonly timeout: (id: number, timer: ConnectionTimer) => void;
  readonly sendProgress: (id: number, idle: boolean) => void;
  readonly drained: (id: number) => void;
}

/** Finished connections of one peer that may linger until their last message is out; the oldest is dropped for another. */
const MAX_LINGERING = 4;

/** The connections of one peer by the names that the state machine gives them, and those that are finished but not gone yet. */
export class Links {
  readonly #clock: Clock;
  readonly #handlers: LinkHandlers;
  readonly #links = new Map<number, Link>();
  readonly #lingering = new Set<Connection>();
  #paused = false;
  #onIdle: (() => void)[] = [];

  constructor(clock: Clock, handlers: LinkHandlers) {
    this.#clock = clock;
    this.#handlers = handlers;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get(id: number): Link | undefined {
    return this.#links.get(id);
  }

  add(id: number, socket: Socket, sendLimit: number): void {
    const on = this.#handlers;
    const connection = new Connection(socket, this.#clock, sendLimit, {
      connected: () => on.connected(id),
      message: (bytes) => on.message(id, bytes),
      malformed: (error) => on.malformed(id, error),
      failed: (detail) => {
        this.#forget(id);
        on.lost(id, detail);
      },
      sendProgress: (idle) => on.sendProgress(id, idle),
      drained: () => on.drained(id),
    });
    const timer = (name: ConnectionTimer): Deadline => new Deadline(this.#clock, () => on.timeout(id, name));
    const timers = {
      hold: timer('hold'),
      keepalive: timer('keepalive'),
      'delay-open': timer('delay-open'),
      'send-hold': timer('send-hold'),
    };
    this.#links.set(id, { id, connection, timers });
    if (this.#paused) connection.pause();
  }

  /** Ends a connection with a last message, if any. */
  finish(id: number, last: Uint8Array | undefined): void {
    const connection = this.#forget(id)?.connection;
    if (!connection) return;
    this.#lingering.add(connection);
    connection.finish(last, () => this.#gone(connection));
    if (this.#lingering.size <= MAX_LINGERING) return;
    const [oldest] = this.#lingering;
    oldest?.destroy();
  }

  pause(): void {
    this.#paused = true;
    for (const { connection } of this.#links.values()) connection.pause();
  }

  resume(): void {
    this.#paused = false;
    for (const { connection } of [...this.#links.values()]) connection.resume();
  }

  /** Resolves when no finished connection lingers any more. */
  idle(): Promise<void> {
    if (this.#lingering.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  #forget(id: number): Link | undefined {
    const link = this.#links.get(id);
    if (!link) return undefined;
    this.#links.delete(id);
    for (const timer of Object.values(link.timers)) timer.stop();
    return link;
  }

  #gone(connection: Connection): void {
    this.#lingering.delete(connection);
    if (this.#lingering.size > 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}
