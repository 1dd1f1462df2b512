/** Keeps the `limit` smallest of what is offered, so that one page of a large table in order costs one pass over it. */
export class Smallest {
  readonly #limit: number;
  readonly #compare: (a: number, b: number) => number;
  #kept: number[] = [];
  #bound: number | undefined;
  #dropped = false;

  constructor(limit: number, compare: (a: number, b: number) => number) {
    this.#limit = limit;
    this.#compare = compare;
  }

  offer(item: number): void {
    if (this.#bound !== undefined && this.#compare(item, this.#bound) > 0) {
      this.#dropped = true;
      return;
    }
    this.#kept.push(item);
    if (this.#kept.length >= 2 * this.#limit + 64) this.#cut();
  }

  /** The smallest, in order, and whether there are more. */
  result(): { readonly items: readonly number[]; readonly more: boolean } {
    this.#cut();
    return { items: this.#kept, more: this.#dropped };
  }

  #cut(): void {
    this.#kept.sort(this.#compare);
    if (this.#kept.length <= this.#limit) return;
    this.#kept.length = this.#limit;
    this.#bound = this.#kept[this.#limit - 1];
    this.#dropped = true;
  }
}
