import { setImmediate } from 'node:timers/promises';

/** Milliseconds of work before other work has its turn. */
const SLICE_MS = 8;

/** Work that is done in slices: sessions and timers go on between them. */
export class Slices {
  #began = 0;

  /** Whether a slice is over; asked often, so it looks at the clock only now and then where the caller does. */
  get over(): boolean {
    return performance.now() - this.#began >= SLICE_MS;
  }

  /** Lets others work when the slice is over. */
  async rest(): Promise<void> {
    if (!this.over) return;
    await setImmediate();
    this.#began = performance.now();
  }
}
