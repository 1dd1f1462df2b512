/** Allows `rate` takes a second with up to `burst` at once. Times are in milliseconds and never go back. */
export class TokenBucket {
  #rate: number;
  #burst: number;
  #tokens: number;
  #at: number;

  constructor(limit: { readonly rate: number; readonly burst: number }, now: number) {
    this.#rate = limit.rate;
    this.#burst = Math.max(1, limit.burst);
    this.#tokens = this.#burst;
    this.#at = now;
  }

  /** Takes a token; false when there is none. */
  take(now: number): boolean {
    this.#fill(now);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** When `count` tokens (at most the burst) are there; infinite where the rate is 0. */
  readyAt(count: number, now: number): number {
    this.#fill(now);
    const missing = Math.min(count, this.#burst) - this.#tokens;
    return missing <= 0 ? now : now + Math.ceil((missing * 1000) / this.#rate);
  }

  /** Goes by other limits from now on; what was spent stays spent. */
  change(limit: { readonly rate: number; readonly burst: number }, now: number): void {
    this.#fill(now);
    this.#rate = limit.rate;
    this.#burst = Math.max(1, limit.burst);
    this.#tokens = Math.min(this.#tokens, this.#burst);
  }

  copy(): TokenBucket {
    const copy = new TokenBucket({ rate: this.#rate, burst: this.#burst }, this.#at);
    copy.#tokens = this.#tokens;
    return copy;
  }

  #fill(now: number): void {
    if (now <= this.#at) return;
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) * this.#rate) / 1000);
    this.#at = now;
  }
}
