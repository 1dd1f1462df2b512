import type { Socket } from 'node:net';
import { BgpError, MessageFramer } from '../codec/index.ts';
import type { Clock, ClockTimer } from './clock.ts';
import { SendQueue } from './send-queue.ts';

export interface ConnectionHandlers {
  /** An outgoing connection is up. */
  readonly connected: () => void;
  /** One whole message, header included. */
  readonly message: (bytes: Uint8Array) => void;
  /** The stream cannot be cut into messages any more. */
  readonly malformed: (error: BgpError) => void;
  /** The connection is gone; nothing follows. Not called after `finish` or `destroy`. */
  readonly failed: (detail: string) => void;
  readonly sendProgress: (idle: boolean) => void;
  readonly drained: () => void;
}

/** Milliseconds that a finished connection may take to deliver its last message and be closed by the peer. */
const LINGER = 3000;

/** A TCP connection that carries BGP messages: framing, a bounded send queue, reading that can be paused. */
export class Connection {
  readonly #socket: Socket;
  readonly #handlers: ConnectionHandlers;
  readonly #clock: Clock;
  readonly #framer = new MessageFramer();
  readonly #queue: SendQueue;
  #phase: 'open' | 'finishing' | 'closed' = 'open';
  #paused = false;
  #reading = false;
  /** The peer sent FIN while reading was paused, or messages before it are still to be handed over. */
  #ended = false;
  #linger: ClockTimer | undefined;
  #onClosed: (() => void) | undefined;

  constructor(socket: Socket, clock: Clock, sendLimit: number, handlers: ConnectionHandlers) {
    this.#socket = socket;
    this.#clock = clock;
    this.#handlers = handlers;
    this.#queue = new SendQueue(socket, sendLimit, {
      progress: (idle) => {
        if (this.#phase === 'open') handlers.sendProgress(idle);
      },
      drained: () => {
        if (this.#phase === 'open') handlers.drained();
      },
    });
    socket.setNoDelay(true);
    socket.on('connect', () => {
      if (this.#phase === 'open') handlers.connected();
    });
    socket.on('data', (chunk: Uint8Array) => this.#received(chunk));
    socket.on('end', () => {
      this.#ended = true;
      this.#pump();
    });
    socket.on('error', (error: Error) => this.#fail(error.message));
    socket.on('close', () => {
      this.#fail('connection closed');
      this.destroy();
    });
  }

  /** Messages over 4,096 octets are read from now on (RFC 8654). */
  set extendedMessage(allowed: boolean) {
    this.#framer.extendedMessage = allowed;
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress;
  }

  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort;
  }

  /** Octets that wait to be sent. */
  get sendPending(): number {
    return this.#queue.pending;
  }

  /** Queues a message within the limit; false when there is no room. */
  offer(bytes: Uint8Array): boolean {
    return this.#queue.offer(bytes);
  }

  /** Queues a message of the session itself, whatever the length of the queue. */
  send(bytes: Uint8Array): void {
    this.#queue.force(bytes);
  }

  /** Stops handing over messages after the present one, and reading. */
  pause(): void {
    this.#paused = true;
    if (this.#phase === 'open') this.#socket.pause();
  }

  /** Goes on with what has been read already, after the present turn, and then with the socket. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    queueMicrotask(() => {
      this.#pump();
      if (!this.#paused && this.#phase === 'open') this.#socket.resume();
    });
  }

  #received(chunk: Uint8Array): void {
    if (this.#phase !== 'open') return;
    // Not a Buffer, whose slice() shares memory where Uint8Array's copies: what the codec keeps must not hold on to the chunk.
    this.#framer.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
    this.#pump();
  }

  /** Hands over whole messages until there are none, the consumer pauses or the connection ends. */
  #pump(): void {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#phase === 'open' && !this.#paused) {
        const message = this.#nextMessage();
        if (!message) break;
        this.#handlers.message(message);
      }
    } finally {
      this.#reading = false;
    }
    if (this.#ended && !this.#paused) this.#fail('connection closed by the peer');
  }

  #nextMessage(): Uint8Array | undefined {
    try {
      return this.#framer.next();
    } catch (error) {
      if (!(error instanceof BgpError)) throw error;
      this.#handlers.malformed(error);
      return undefined;
    }
  }

  #fail(detail: string): void {
    if (this.#phase !== 'open') return;
    this.destroy();
    this.#handlers.failed(detail);
  }

  /**
   * Sends a last message, if any, closes our side and waits a little for the peer to close its own: closing at once with unread input would reset
   * the connection and could take the message with it. `closed` is called when the socket is gone.
   */
  finish(last: Uint8Array | undefined, closed: () => void): void {
    if (this.#phase !== 'open') {
      closed();
      return;
    }
    this.#phase = 'finishing';
    this.#onClosed = closed;
    if (this.#socket.connecting || this.#ended) {
      if (this.#ended && last) this.#socket.end(last);
      this.#lingerFor(this.#ended && last ? LINGER : 0);
      return;
    }
    this.#lingerFor(LINGER);
    // What still arrives is read and dropped.
    this.#socket.resume();
    this.#queue.finish(last, () => {
      if (this.#phase === 'finishing') this.#socket.end();
    });
  }

  #lingerFor(ms: number): void {
    if (ms === 0) this.destroy();
    else this.#linger = this.#clock.setTimer(ms, () => this.destroy());
  }

  /** Drops the connection at once. Idempotent. */
  destroy(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#linger?.cancel();
    this.#socket.destroy();
    const closed = this.#onClosed;
    this.#onClosed = undefined;
    closed?.();
  }
}
