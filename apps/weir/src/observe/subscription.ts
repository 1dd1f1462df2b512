import type { Event } from '../model/event.ts';

/** Events that wait for one subscriber before the oldest are dropped. */
export const MAX_QUEUE = 1024;

/** Events on their way to one reader that may be slower than they come: a bounded queue. What is dropped is counted, oldest first. */
export class Subscription {
  readonly #accepts: (event: Event) => boolean;
  readonly #onClose: (self: Subscription) => void;
  readonly #queue: Event[] = [];
  #lost = 0;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(accepts: (event: Event) => boolean, onClose: (self: Subscription) => void) {
    this.#accepts = accepts;
    this.#onClose = onClose;
  }

  /** Called by the bus; never throws and never waits. */
  push(event: Event): void {
    if (this.#closed || !this.#accepts(event)) return;
    this.#queue.push(event);
    // Dropped in blocks, so that a full queue costs one splice in 64 events.
    if (this.#queue.length > MAX_QUEUE + 64) this.#lost += this.#queue.splice(0, this.#queue.length - MAX_QUEUE).length;
    this.#wake?.();
    this.#wake = undefined;
  }

  /** The events that wait, and how many were lost before them; waits for the first. Undefined when the subscription is closed. */
  async next(): Promise<{ readonly events: readonly Event[]; readonly lost: number } | undefined> {
    while (this.#queue.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#queue.length === 0) return undefined;
    const events = this.#queue.splice(0);
    const lost = this.#lost;
    this.#lost = 0;
    return { events, lost };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose(this);
    this.#wake?.();
    this.#wake = undefined;
  }
}
