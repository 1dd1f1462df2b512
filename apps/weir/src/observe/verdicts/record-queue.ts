import { EVENT_OCTETS } from '../../model/verdict-event-layout.ts';

/** The newest records, up to a number: what is pushed past that takes the place of the oldest. */
export class RecordQueue {
  readonly capacity: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #next = 0;
  #count = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#bytes = new Uint8Array(capacity * EVENT_OCTETS);
  }

  get count(): number {
    return this.#count;
  }

  /** False where an older one had to go for it. */
  push(records: Uint8Array, at: number): boolean {
    this.#bytes.set(records.subarray(at, at + EVENT_OCTETS), this.#next * EVENT_OCTETS);
    this.#next = (this.#next + 1) % this.capacity;
    if (this.#count === this.capacity) return false;
    this.#count++;
    return true;
  }

  /** Visits the records from the newest to the oldest, until it answers false. */
  newest(visit: (view: DataView, at: number) => boolean): void {
    const view = new DataView(this.#bytes.buffer);
    for (let i = 1; i <= this.#count; i++) {
      const slot = (this.#next - i + this.capacity) % this.capacity;
      if (!visit(view, slot * EVENT_OCTETS)) return;
    }
  }

  clear(): void {
    this.#count = 0;
  }
}
