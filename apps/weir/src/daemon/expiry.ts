/** How often the clock is looked at: it may be set. */
const LOOK_MS = 60_000;
/** Until an attempt that failed is made again; twice as long each time. */
const RETRY_MS = 1000;
const MAX_RETRY_MS = 300_000;

export interface ExpiryOptions {
  /** When the next rule ends after a time; undefined when none does. Milliseconds since the epoch. */
  readonly next: (after: number) => number | undefined;
  /** Takes out the rules whose time is over. */
  readonly expire: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** Takes out rules when their time is over; when that fails, again and again. */
export class Expiry {
  readonly #options: ExpiryOptions;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ExpiryOptions) {
    this.#options = options;
  }

  /** The rules are others, or none is over its time now. */
  wait(): void {
    clearTimeout(this.#timer);
    const now = Date.now();
    const next = this.#closed ? undefined : this.#options.next(now);
    if (next === undefined) return;
    this.#after(Math.min(next - now, LOOK_MS), () => (Date.now() < next ? this.wait() : void this.#expire(RETRY_MS)));
  }

  async #expire(retry: number): Promise<void> {
    try {
      await this.#options.expire();
    } catch (error) {
      if (this.#closed) return;
      this.#options.onError(error);
      this.#after(retry, () => void this.#expire(Math.min(retry * 2, MAX_RETRY_MS)));
      return;
    }
    this.wait();
  }

  #after(ms: number, action: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, ms);
    this.#timer.unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
