import { EVENT_OCTETS } from '../../model/verdict-event-layout.ts';
import { RecordQueue } from './record-queue.ts';
import type { RecordTest } from './verdict-filter.ts';
import type { NamedVerdict } from './verdict-stream.ts';

/** Records that wait for one subscriber before the oldest are dropped. */
export const MAX_QUEUE = 2048;

/** What one `next` gives. */
export interface VerdictsPart {
  readonly events: readonly NamedVerdict[];
  /** Dropped before these, because the subscriber was too slow. */
  readonly lost: number;
}

/** Verdict events on their way to one subscriber that may be slower than they come. */
export class VerdictSubscription {
  readonly #wanted: RecordTest;
  readonly #name: (view: DataView, at: number) => NamedVerdict | undefined;
  readonly #onClose: (self: VerdictSubscription) => void;
  readonly #queue = new RecordQueue(MAX_QUEUE);
  #lost = 0;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(
    wanted: RecordTest,
    name: (view: DataView, at: number) => NamedVerdict | undefined,
    onClose: (self: VerdictSubscription) => void,
  ) {
    this.#wanted = wanted;
    this.#name = name;
    this.#onClose = onClose;
  }

  /** Called by the stream with `count` records; the number of those that were dropped for them. */
  push(records: Uint8Array, count: number): number {
    const view = new DataView(records.buffer, records.byteOffset, records.length);
    let lost = 0;
    for (let i = 0; i < count; i++) {
      if (!this.#wanted(view, i * EVENT_OCTETS)) continue;
      if (!this.#queue.push(records, i * EVENT_OCTETS)) lost++;
    }
    this.#lost += lost;
    if (this.#queue.count > 0) {
      this.#wake?.();
      this.#wake = undefined;
    }
    return lost;
  }

  /** The events that wait; waits for the first. Undefined when the subscription is closed. */
  async next(): Promise<VerdictsPart | undefined> {
    while (this.#queue.count === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#queue.count === 0) return undefined;
    const events: NamedVerdict[] = [];
    this.#queue.newest((view, at) => {
      const named = this.#name(view, at);
      if (named) events.push(named);
      return true;
    });
    const lost = this.#lost;
    this.#queue.clear();
    this.#lost = 0;
    return { events: events.reverse(), lost };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose(this);
    this.#wake?.();
    this.#wake = undefined;
  }
}
