import type { Socket } from 'node:net';

/** Octets handed to the socket at a time: what a slow peer takes in at least between two signs of progress. */
const SLICE = 65536;

export interface SendQueueHandlers {
  /** Something was handed to the kernel; `idle` when nothing is left. */
  readonly progress: (idle: boolean) => void;
  /** The queue has room again after `full` was seen. */
  readonly drained: () => void;
}

/**
 * Messages on their way into a socket, in order. Holds at most `limit` octets of what `offer` is given, and beyond that only what `force` adds (keepalives and one
 * NOTIFICATION). Messages of one turn of the event loop leave together.
 */
export class SendQueue {
  readonly #socket: Socket;
  readonly #limit: number;
  readonly #handlers: SendQueueHandlers;
  #chunks: Uint8Array[] = [];
  #queued = 0;
  #inFlight = 0;
  #scheduled = false;
  #wasFull = false;
  #closed = false;
  #last: (() => void) | undefined;

  constructor(socket: Socket, limit: number, handlers: SendQueueHandlers) {
    this.#socket = socket;
    this.#limit = limit;
    this.#handlers = handlers;
  }

  /** Octets that the kernel has not taken yet. */
  get pending(): number {
    return this.#queued + this.#inFlight;
  }

  /** Queues a message, or refuses it while the queue is full: `drained` follows. A message longer than the limit passes when the queue is empty. */
  offer(bytes: Uint8Array): boolean {
    if (this.#closed) return false;
    if (this.pending > 0 && this.pending + bytes.length > this.#limit) {
      this.#wasFull = true;
      return false;
    }
    this.force(bytes);
    return true;
  }

  /** Queues a message whatever the length of the queue. */
  force(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#chunks.push(bytes);
    this.#queued += bytes.length;
    if (this.#inFlight > 0 || this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#write();
    });
  }

  /** Drops what the kernel has not been given, sends `bytes` and calls `done` when they are with the kernel. */
  finish(bytes: Uint8Array | undefined, done: () => void): void {
    if (this.#closed) return;
    // Without a last word what was queued still goes out: a KEEPALIVE or UPDATE before a silent close is owed to the peer.
    if (bytes) {
      this.#chunks = [bytes];
      this.#queued = bytes.length;
    }
    this.#last = done;
    if (this.#inFlight === 0) this.#write();
    this.#closed = true;
  }

  #write(): void {
    if (this.#inFlight > 0) return;
    if (this.#queued === 0) {
      this.#finished();
      return;
    }
    const slice = this.#take();
    this.#inFlight = slice.length;
    this.#socket.write(slice, (error) => {
      this.#inFlight = 0;
      if (error) return;
      this.#handlers.progress(this.#queued === 0);
      if (this.#wasFull && !this.#closed && this.#queued <= this.#limit / 2) {
        this.#wasFull = false;
        this.#handlers.drained();
      }
      this.#write();
    });
  }

  #finished(): void {
    const last = this.#last;
    this.#last = undefined;
    last?.();
  }

  /** The next messages, up to a slice in all; one that is longer goes alone. */
  #take(): Uint8Array {
    let count = 0;
    let length = 0;
    for (const chunk of this.#chunks) {
      if (count > 0 && length + chunk.length > SLICE) break;
      length += chunk.length;
      count++;
    }
    const taken = this.#chunks.splice(0, count);
    this.#queued -= length;
    const [only] = taken;
    return count === 1 && only ? only : Buffer.concat(taken, length);
  }
}
