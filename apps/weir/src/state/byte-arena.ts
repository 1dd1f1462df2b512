const CHUNK_BITS = 20;
const CHUNK = 1 << CHUNK_BITS;

/** The most bytes an arena holds: 1 GiB. */
const ARENA_LIMIT: number = 1024 * CHUNK;

/**
 * Byte strings of up to 1 MiB packed into chunks of 1 MiB. Space is given out upwards and never moved by itself; the owner tells what is
 * dead (`drop`) and, when `wasteful`, copies what lives into a new arena.
 */
export class ByteArena {
  readonly #chunks: Uint8Array[] = [];
  #used = CHUNK;
  #dead = 0;
  #live = 0;

  /** Bytes held from the system. */
  get capacity(): number {
    return this.#chunks.length * CHUNK;
  }

  /** Bytes that are not dead. */
  get live(): number {
    return this.#live;
  }

  /** Whether more than half, and more than a chunk, is dead. */
  get wasteful(): boolean {
    return this.#dead > this.#live + CHUNK;
  }

  /** Copies `bytes` in; the offset at which they are, or -1 when the arena is full. */
  add(bytes: Uint8Array): number {
    if (bytes.length > CHUNK) throw new RangeError(`an arena entry has at most ${CHUNK} bytes: ${bytes.length}`);
    if (this.#used + bytes.length > CHUNK) {
      if (this.capacity >= ARENA_LIMIT) return -1;
      this.#dead += CHUNK - this.#used;
      this.#chunks.push(new Uint8Array(CHUNK));
      this.#used = 0;
    }
    const index = this.#chunks.length - 1;
    this.#chunk(index).set(bytes, this.#used);
    const offset = index * CHUNK + this.#used;
    this.#used += bytes.length;
    this.#live += bytes.length;
    return offset;
  }

  drop(length: number): void {
    this.#live -= length;
    this.#dead += length;
  }

  /** A view; it stays right until the owner compacts. */
  view(offset: number, length: number): Uint8Array {
    const at = offset & (CHUNK - 1);
    return this.#chunk(offset >>> CHUNK_BITS).subarray(at, at + length);
  }

  /** Whether the bytes at `offset` are those of `bytes`. */
  equals(offset: number, bytes: Uint8Array): boolean {
    const chunk = this.#chunk(offset >>> CHUNK_BITS);
    const at = offset & (CHUNK - 1);
    for (let i = 0; i < bytes.length; i++) if (chunk[at + i] !== bytes[i]) return false;
    return true;
  }

  #chunk(index: number): Uint8Array {
    const chunk = this.#chunks[index];
    if (!chunk) throw new RangeError(`no arena chunk ${index}`);
    return chunk;
  }
}
