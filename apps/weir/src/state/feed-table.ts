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
  #size = 0;
  readonly #ids = new Map<string, number>();
  readonly #free: number[] = [];
  /** Ids of lists of one, by that one: the usual case. */
  readonly #singles: (number | undefined)[] = [];

  /** How many lists are interned, the empty one apart. */
  get size(): number {
    return this.#size;
  }

  /** The id of an ascending list, with one reference more. */
  acquire(list: readonly number[]): number {
    if (list.length === 0) return NO_FEED;
    const [first] = list;
    const single = list.length === 1 && first !== undefined;
    const key = single ? '' : list.join();
    const known = single ? this.#singles[first] : this.#ids.get(key);
    if (known !== undefined) {
      this.#refs[known] = (this.#refs[known] ?? 0) + 1;
      return known;
    }
    const id = this.#free.pop() ?? this.#lists.length;
    this.#lists[id] = [...list];
    this.#refs[id] = 1;
    if (single) this.#singles[first] = id;
    else this.#ids.set(key, id);
    this.#size++;
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
    const list = this.list(id);
    const [first] = list;
    if (list.length === 1 && first !== undefined) this.#singles[first] = undefined;
    else this.#ids.delete(list.join());
    this.#size--;
    this.#lists[id] = EMPTY;
    this.#free.push(id);
  }

  /** The set indexes of a feed, ascending. */
  list(id: number): readonly number[] {
    return this.#lists[id] ?? EMPTY;
  }
}
