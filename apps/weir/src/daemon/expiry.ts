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
  /** Rules that ended up to this time are out. */
  #since = 0;
  #closed = false;

  constructor(options: ExpiryOptions) {
    this.#options = options;
  }

  /** The rules are others: those that had not ended at a time just before they came into force. What ends while they do is not passed over. */
  wait(since: number): void {
    this.#since = since;
    this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const next = this.#closed ? undefined : this.#options.next(this.#since);
    if (next === undefined) return;
    const left = Math.max(0, next - Date.now());
    this.#after(Math.min(left, LOOK_MS), () => (Date.now() < next ? this.#arm() : void this.#expire(RETRY_MS)));
  }

  async #expire(retry: number): Promise<void> {
    const since = Date.now();
    try {
      await this.#options.expire();
    } catch (error) {
      if (this.#closed) return;
      this.#options.onError(error);
      this.#after(retry, () => void this.#expire(Math.min(retry * 2, MAX_RETRY_MS)));
      return;
    }
    this.wait(since);
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
