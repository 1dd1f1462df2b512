import type { Event, EventSink } from '../model/event.ts';
import { Counters, type CounterValues } from './counters.ts';
import { Subscription } from './subscription.ts';

/** Recent events that are kept for `status`, and subscribers at one time. */
export const RING_SIZE = 512;
export const MAX_SUBSCRIPTIONS = 64;

/** Where every event goes: counters, a ring of the most recent, a log, and whoever watches. `emit` never throws and never waits. */
export class EventBus {
  readonly #ring: Event[] = [];
  #next = 0;
  readonly #counters = new Counters();
  readonly #subscriptions = new Set<Subscription>();
  readonly #log: EventSink | undefined;

  constructor(log?: EventSink) {
    this.#log = log;
  }

  readonly emit: EventSink = (event: Event): void => {
    this.#counters.count(event);
    // Members come by the million; they are counted and watched but do not push the rest out of the ring.
    if (event.kind !== 'member') {
      this.#ring[this.#next] = event;
      this.#next = (this.#next + 1) % RING_SIZE;
    }
    for (const subscription of this.#subscriptions) subscription.push(event);
    this.#log?.(event);
  };

  /** The newest events but for members, oldest first, at most `limit`. */
  recent(limit: number = RING_SIZE): readonly Event[] {
    const ordered = this.#ring.length < RING_SIZE ? this.#ring : [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
    return ordered.slice(Math.max(0, ordered.length - limit));
  }

  counters(): CounterValues {
    return this.#counters.values();
  }

  /** Events from now on that `accepts` lets through; undefined when there are too many subscribers. Close it when done. */
  subscribe(accepts: (event: Event) => boolean): Subscription | undefined {
    if (this.#subscriptions.size >= MAX_SUBSCRIPTIONS) return undefined;
    const subscription = new Subscription(accepts, (self) => this.#subscriptions.delete(self));
    this.#subscriptions.add(subscription);
    return subscription;
  }

  /** Ends every subscription. */
  close(): void {
    for (const subscription of [...this.#subscriptions]) subscription.close();
  }
}
