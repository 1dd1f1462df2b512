/** A set of small dense ids, one bit each. */
export class IdSet {
  #bits = new Uint32Array(32);
  #size = 0;
  /** No id below 32 times this is in the set. */
  #first = 0;

  get size(): number {
    return this.#size;
  }

  has(id: number): boolean {
    return (((this.#bits[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 1;
  }

  add(id: number): void {
    const at = id >>> 5;
    if (at >= this.#bits.length) {
      const bits = new Uint32Array(Math.max(at + 1, this.#bits.length * 2));
      bits.set(this.#bits);
      this.#bits = bits;
    }
    const word = this.#bits[at] as number;
    const bit = 1 << (id & 31);
    if ((word & bit) !== 0) return;
    this.#bits[at] = word | bit;
    this.#size++;
    if (at < this.#first) this.#first = at;
  }

  addAll(other: IdSet): void {
    for (let at = 0; at < other.#bits.length; at++) {
      for (let word = other.#bits[at] as number; word !== 0; word &= word - 1) this.add(at * 32 + 31 - Math.clz32(word & -word));
    }
  }

  /** @returns whether it was there */
  delete(id: number): boolean {
    if (!this.has(id)) return false;
    this.#bits[id >>> 5] = (this.#bits[id >>> 5] as number) & ~(1 << (id & 31));
    this.#size--;
    return true;
  }

  /** Takes out the lowest ids, at most `most` of them. */
  take(most: number): number[] {
    const out: number[] = [];
    const bits = this.#bits;
    let at = this.#first;
    for (; out.length < most && this.#size > out.length; at++) {
      let word = bits[at] as number;
      for (; word !== 0 && out.length < most; word &= word - 1) out.push(at * 32 + 31 - Math.clz32(word & -word));
      bits[at] = word;
      if (word !== 0) break;
    }
    this.#size -= out.length;
    this.#first = this.#size === 0 ? 0 : at;
    return out;
  }

  /** Takes out those of the lowest range of `size` ids, a multiple of 32, that has any. */
  takeRange(size: number): number[] {
    if (this.#size === 0) return [];
    const bits = this.#bits;
    let at = this.#first;
    while (bits[at] === 0) at++;
    const end = (Math.floor((at * 32) / size) + 1) * (size / 32);
    const out: number[] = [];
    for (; at < end && at < bits.length && this.#size > out.length; at++) {
      for (let word = bits[at] as number; word !== 0; word &= word - 1) out.push(at * 32 + 31 - Math.clz32(word & -word));
      bits[at] = 0;
    }
    this.#size -= out.length;
    this.#first = this.#size === 0 ? 0 : at;
    return out;
  }

  copy(): IdSet {
    const out = new IdSet();
    out.#bits = this.#bits.slice();
    out.#size = this.#size;
    out.#first = this.#first;
    return out;
  }
}
