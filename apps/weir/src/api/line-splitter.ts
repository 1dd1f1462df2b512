/**
 * Cuts a stream of bytes into lines of UTF-8 text, without their line breaks. A line longer than `max` bytes ends it: `push` then returns undefined and
 * everything after is ignored.
 */
export class LineSplitter {
  readonly #max: number;
  #parts: Uint8Array[] = [];
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
      const end = chunk.subarray(from, at);
      if (this.#length + end.length > this.#max) return this.#break();
      lines.push(this.#join(end));
      from = at + 1;
    }
    const rest = chunk.subarray(from);
    if (this.#length + rest.length > this.#max) return this.#break();
    if (rest.length > 0) {
      // Copied: the chunk's memory is the stream's and may be large.
      this.#parts.push(rest.slice());
      this.#length += rest.length;
    }
    return lines;
  }

  #join(end: Uint8Array): string {
    const whole = this.#parts.length === 0 ? end : Buffer.concat([...this.#parts, end]);
    this.#parts = [];
    this.#length = 0;
    return new TextDecoder().decode(whole);
  }

  #break(): undefined {
    this.#broken = true;
    this.#parts = [];
    return undefined;
  }
}
