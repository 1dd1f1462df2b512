/**
 * Cuts a stream of bytes into lines of UTF-8 text, without their line breaks. A line longer than `max` bytes ends it: `push` then returns undefined and
 * everything after is ignored. Holds at most twice the bytes of the line that has begun, however small the pieces are.
 */
export class LineSplitter {
  readonly #max: number;
  #held: Uint8Array = new Uint8Array(0);
  #length = 0;
  #broken = false;

  constructor(max: number) {
    this.#max = max;
  }

  push(chunk: Uint8Array): string[] | undefined {
    if (this.#broken) return undefined;
    const lines: string[] = [];
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      if (!this.#hold(chunk.subarray(from, at))) return undefined;
      lines.push(new TextDecoder().decode(this.#held.subarray(0, this.#length)));
      this.#length = 0;
      from = at + 1;
    }
    // Copied: the chunk's memory is the stream's.
    return this.#hold(chunk.subarray(from)) ? lines : undefined;
  }

  #hold(bytes: Uint8Array): boolean {
    const length = this.#length + bytes.length;
    if (length > this.#max) {
      this.#broken = true;
      this.#held = new Uint8Array(0);
      return false;
    }
    if (length > this.#held.length) {
      const grown = new Uint8Array(Math.min(this.#max, Math.max(256, 2 * length)));
      grown.set(this.#held.subarray(0, this.#length));
      this.#held = grown;
    }
    this.#held.set(bytes, this.#length);
    this.#length = length;
    return true;
  }
}
