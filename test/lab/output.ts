/** Text that a process printed, cut to its last `limit` bytes so that a chatty daemon cannot fill memory. */
export class BoundedOutput {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #length = 0;
  #dropped = 0;

  constructor(limit: number = 256 * 1024) {
    this.#limit = limit;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#length > this.#limit && this.#chunks.length > 1) {
      const first = this.#chunks.shift() as Buffer;
      this.#length -= first.length;
      this.#dropped += first.length;
    }
  }

  /** Bytes that were pushed and are no longer held. */
  get dropped(): number {
    return this.#dropped;
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
