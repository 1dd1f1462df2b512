import type { StateClock } from '../route-state-options.ts';
import { TokenBucket } from '../token-bucket.ts';

/** What waits beyond that is forgotten, and asked for when there is room again. */
const MOST_WAITING = 50_000;

export interface AdmissionLimits {
  readonly most: number;
  readonly churn: { readonly rate: number; readonly burst: number };
}

export interface AdmissionOptions<T> {
  readonly clock: StateClock;
  readonly limits: AdmissionLimits;
  /** It is let in or is another than before, or (undefined) is not there any more. */
  readonly changed: (value: T | undefined, before: T | undefined) => void;
  /** There is room, and what would have waited was forgotten: everything is to be put again. */
  readonly again: () => void;
}

/** Lets in so many at most, and new ones so fast at most; what exceeds that waits in its order. What goes, goes at once. */
export class Admission<T> {
  readonly #options: AdmissionOptions<T>;
  readonly #admitted = new Map<string, T>();
  readonly #waiting = new Map<string, T>();
  readonly #bucket: TokenBucket;
  #forgotten = false;
  #timer: { cancel(): void } | undefined;

  constructor(options: AdmissionOptions<T>) {
    this.#options = options;
    this.#bucket = new TokenBucket(options.limits.churn, options.clock.now());
  }

  get size(): number {
    return this.#admitted.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** What was put, whether it is let in or waits. */
  get(key: string): T | undefined {
    return this.#admitted.get(key) ?? this.#waiting.get(key);
  }

  /** Deletes everything but these. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of [...this.#admitted.keys(), ...this.#waiting.keys()]) if (!keys.has(key)) this.delete(key);
  }

  values(): readonly T[] {
    return [...this.#admitted.values()];
  }

  /** `free`: it costs no churn, as what was there before a restart. */
  put(key: string, value: T, free = false): void {
    const { most } = this.#options.limits;
    if (this.#admitted.has(key)) this.#admit(key, value);
    else if (this.#waiting.has(key)) this.#waiting.set(key, value);
    else if (this.#admitted.size < most && (free || (this.#waiting.size === 0 && this.#bucket.take(this.#options.clock.now()))))
      this.#admit(key, value);
    else if (this.#waiting.size < MOST_WAITING) this.#waiting.set(key, value);
    else this.#forgotten = true;
    this.#wait();
  }

  delete(key: string): void {
    this.#waiting.delete(key);
    const before = this.#admitted.get(key);
    if (this.#admitted.delete(key)) this.#options.changed(undefined, before);
    this.#wait();
  }

  /** Takes everything out. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting.clear();
    this.#forgotten = false;
    for (const key of [...this.#admitted.keys()]) this.delete(key);
  }

  #admit(key: string, value: T): void {
    const before = this.#admitted.get(key);
    this.#admitted.set(key, value);
    this.#options.changed(value, before);
  }

  /** Sets the timer for the first that waits, if there is room for it. */
  #wait(): void {
    if (this.#timer || this.#admitted.size >= this.#options.limits.most) return;
    if (this.#waiting.size === 0 && !this.#forgotten) return;
    const { clock } = this.#options;
    const now = clock.now();
    this.#timer = clock.setTimer(Math.max(0, this.#bucket.readyAt(1, now) - now), () => {
      this.#timer = undefined;
      this.#advance();
    });
  }

  #advance(): void {
    const { clock, limits, again } = this.#options;
    for (const [key, value] of this.#waiting) {
      if (this.#admitted.size >= limits.most || !this.#bucket.take(clock.now())) break;
      this.#waiting.delete(key);
      this.#admit(key, value);
    }
    if (this.#waiting.size === 0 && this.#forgotten) {
      this.#forgotten = false;
      again();
    }
    this.#wait();
  }
}
