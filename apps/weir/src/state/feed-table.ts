const EMPTY: readonly number[] = [];

/** The feed of a route that gives nothing. Needs no reference. */
export const NO_FEED = 0;

/**
 * Interns ascending lists of set indexes as small ids, so that what a route gives is one number in a column and two routes that give the
 * same compare by it. Reference-counted: an id whose last reference is released may be given to another list. Id 0 is the empty list.
 */
export class FeedTable {
  readonly #lists: (readonly number[])[] = [EMPTY];
  readonly #refs: number[] = [0];
  readonly #ids = new Map<string, number>();
  readonly #free: number[] = [];

  /** How many lists are interned, the empty one apart. */
  get size(): number {
    return this.#ids.size;
  }

  /** The id of an ascending list, with one reference more. */
  acquire(list: readonly number[]): number {
    if (list.length === 0) return NO_FEED;
    const key = list.join();
    const known = this.#ids.get(key);
    if (known !== undefined) {
      this.#refs[known] = (this.#refs[known] ?? 0) + 1;
      return known;
    }
    const id = this.#free.pop() ?? this.#lists.length;
    this.#lists[id] = [...list];
    this.#refs[id] = 1;
    this.#ids.set(key, id);
    return id;
  }

  retain(id: number): void {
    if (id !== NO_FEED) this.#refs[id] = (this.#refs[id] ?? 0) + 1;
  }

  release(id: number): void {
    if (id === NO_FEED) return;
    const left = (this.#refs[id] ?? 0) - 1;
    if (left < 0) throw new RangeError(`feed ${id} has no reference to release`);
    this.#refs[id] = left;
    if (left > 0) return;
    this.#ids.delete(this.list(id).join());
    this.#lists[id] = EMPTY;
    this.#free.push(id);
  }

  /** The set indexes of a feed, ascending. */
  list(id: number): readonly number[] {
    return this.#lists[id] ?? EMPTY;
  }
}
