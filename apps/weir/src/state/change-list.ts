import { grownU32 } from './column.ts';

const LEAST = 64;
/** A list that has grown beyond this is given back when it has been taken. */
const KEPT = 1 << 16;

/** Prefixes of one family that have changed since they were taken last, in the order in which they did. The caller adds each once. */
export class ChangeList {
  #ids: Uint32Array = new Uint32Array(LEAST);
  #count = 0;
  #oldest = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#ids.byteLength;
  }

  /** Receipt of the message behind the first change; infinite when there is none. */
  get oldest(): number {
    return this.#oldest;
  }

  add(prefix: number, receivedAt: number): void {
    if (receivedAt < this.#oldest) this.#oldest = receivedAt;
    if (this.#count >= this.#ids.length) this.#ids = grownU32(this.#ids, this.#count + 1);
    this.#ids[this.#count++] = prefix;
  }

  /** Empties the list; what is returned is good until the next `add`. */
  take(): Uint32Array {
    const taken = this.#ids.subarray(0, this.#count);
    if (this.#ids.length > KEPT) this.#ids = new Uint32Array(LEAST);
    this.#count = 0;
    this.#oldest = Number.POSITIVE_INFINITY;
    return taken;
  }
}
