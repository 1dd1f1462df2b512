/** Random numbers that can be had again from their seed. */
export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = seed >>> 0;
  }

  /** 0 to below `limit`. */
  below(limit: number): number {
    // xorshift32 over a Weyl sequence, so that a small seed is no worse than a large one.
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return ((x ^ (x >>> 15)) >>> 0) % limit;
  }

  pick<T>(from: readonly T[]): T {
    const one = from[this.below(from.length)];
    if (one === undefined) throw new RangeError('nothing to pick from');
    return one;
  }

  /** Each with the given chance out of `of`. */
  some<T>(from: readonly T[], chance: number, of: number): readonly T[] {
    return from.filter(() => this.below(of) < chance);
  }
}
