import type { VerdictEvent } from '../../model/verdict-event.ts';
import { encodeVerdictEvent } from '../../model/verdict-event-codec.ts';
import { EVENT_OCTETS } from '../../model/verdict-event-layout.ts';

const WORDS = EVENT_OCTETS / 4;

/** Records that gather until they are taken away together. */
export class RecordBuffer {
  readonly capacity: number;
  readonly #words: Int32Array<ArrayBuffer>;
  readonly #view: DataView;
  #count = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#words = new Int32Array(new ArrayBuffer(capacity * EVENT_OCTETS));
    this.#view = new DataView(this.#words.buffer);
  }

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#count === this.capacity;
  }

  /** A record out of a ring buffer, by the number of its first 32-bit word. There must be room. */
  copy(from: Int32Array, word: number): void {
    const to = this.#count * WORDS;
    for (let i = 0; i < WORDS; i++) this.#words[to + i] = from[word + i] ?? 0;
    this.#count++;
  }

  /** There must be room. */
  add(event: VerdictEvent): void {
    encodeVerdictEvent(this.#view, this.#count * EVENT_OCTETS, event);
    this.#count++;
  }

  /** The records, as bytes of their own; it is empty then. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = new Uint8Array(this.#words.buffer.slice(0, this.#count * EVENT_OCTETS));
    this.#count = 0;
    return taken;
  }
}
