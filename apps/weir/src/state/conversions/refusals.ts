/** What is refused and known by name. */
const MOST = 100_000;

/** What is refused, to count it by reason: by name up to a bound, what is beyond that as `overflow`. */
export class Refusals<R extends string> {
  readonly #reasons = new Map<string, R>();
  #overflow = 0;

  add(key: string, reason: R): void {
    if (this.#reasons.size < MOST || this.#reasons.has(key)) this.#reasons.set(key, reason);
    else this.#overflow++;
  }

  delete(key: string): void {
    this.#reasons.delete(key);
  }

  clear(): void {
    this.#reasons.clear();
    this.#overflow = 0;
  }

  counts(): { readonly [K in R | 'overflow']?: number } {
    const counts: { [reason: string]: number } = {};
    for (const reason of this.#reasons.values()) counts[reason] = (counts[reason] ?? 0) + 1;
    return { ...counts, ...(this.#overflow > 0 ? { overflow: this.#overflow } : {}) } as { [K in R | 'overflow']?: number };
  }
}
