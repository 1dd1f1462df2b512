/** How long (ms) a change of the owned table waits for the members of its new sets. */
const MOST_MS = 1000;

/** Sets new in the owned table whose members are still to come: rules that use them must not find them empty. By the keys of their targets. */
export class AwaitedMembers {
  readonly #keys = new Set<string>();
  #until = 0;

  /**
   * The plan has these sets in the owned table, some of them `fresh`. What was awaited before is still awaited, no longer than it was to be. Returns the milliseconds that
   * the change has to wait; 0: it need not.
   */
  configure(owned: ReadonlySet<string>, fresh: Iterable<string>, now: number): number {
    if (now >= this.#until) this.#keys.clear();
    for (const key of this.#keys) if (!owned.has(key)) this.#keys.delete(key);
    for (const key of fresh) {
      this.#keys.add(key);
      this.#until = now + MOST_MS;
    }
    return this.#keys.size > 0 ? this.#until - now : 0;
  }

  /** All members of a set are known; whether they are the last that were awaited. */
  arrived(key: string): boolean {
    return this.#keys.delete(key) && this.#keys.size === 0;
  }
}
