import type { Clock, ClockTimer } from './clock.ts';

/**
 * A timer that is restarted far more often than it expires: a later deadline is only noted, and the clock's timer is set again when the earlier one
 * has passed.
 */
export class Deadline {
  readonly #clock: Clock;
  readonly #expired: () => void;
  #at = Number.POSITIVE_INFINITY;
  #armedFor = Number.POSITIVE_INFINITY;
  #timer: ClockTimer | undefined;

  constructor(clock: Clock, expired: () => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  get running(): boolean {
    return this.#at !== Number.POSITIVE_INFINITY;
  }

  start(ms: number): void {
    this.#at = this.#clock.now() + ms;
    if (this.#timer && this.#armedFor <= this.#at) return;
    this.#timer?.cancel();
    this.#arm(ms);
  }

  stop(): void {
    this.#at = Number.POSITIVE_INFINITY;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(ms: number): void {
    this.#armedFor = this.#at;
    this.#timer = this.#clock.setTimer(ms, () => this.#fire());
  }

  #fire(): void {
    this.#timer = undefined;
    const left = this.#at - this.#clock.now();
    if (left > 0) {
      this.#arm(left);
      return;
    }
    this.#at = Number.POSITIVE_INFINITY;
    this.#expired();
  }
}
