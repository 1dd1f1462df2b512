/** Octets of one line. The longest message (RFC 8654) with 32,000 routes takes less than half of it. */
export const MAX_LINE: number = 4 * 1024 * 1024;

const NEWLINE = 10;

/** Cuts what a pipe gives into lines. A line that is too long is passed over to its end and counted. Holds at most one line. */
export class LineCutter {
  readonly #max: number;
  #held: Uint8Array[] = [];
  #length = 0;
  #skipping = false;
  #tooLong = 0;

  constructor(max: number = MAX_LINE) {
    this.#max = max;
  }

  /** Lines that were passed over. */
  get tooLong(): number {
    return this.#tooLong;
  }

  /** The lines that are whole now, without their breaks. */
  push(chunk: Uint8Array): readonly string[] {
    const last = chunk.lastIndexOf(NEWLINE);
    if (last < 0) {
      this.#hold(chunk);
      return [];
    }
    const first = chunk.indexOf(NEWLINE);
    this.#hold(chunk.subarray(0, first));
    const lines = this.#skipping ? [] : [Buffer.concat(this.#held).toString('utf8')];
    this.#drop();
    this.#skipping = false;
    if (last > first)
      for (const line of Buffer.from(chunk.buffer, chunk.byteOffset + first + 1, last - first - 1)
        .toString('utf8')
        .split('\n'))
        lines.push(line);
    this.#hold(chunk.subarray(last + 1));
    return lines;
  }

  #hold(bytes: Uint8Array): void {
    if (this.#skipping || bytes.length === 0) return;
    if (this.#length + bytes.length > this.#max) {
      this.#drop();
      this.#skipping = true;
      this.#tooLong++;
      return;
    }
    // The chunk's memory is the stream's.
    this.#held.push(bytes.slice());
    this.#length += bytes.length;
  }

  #drop(): void {
    this.#held = [];
    this.#length = 0;
  }
}
