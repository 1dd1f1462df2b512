import { MappedMemory, pageSize } from '@weir/sys';
import { attempt } from './bpf-error.ts';
import type { BpfMap } from './map.ts';

/** The record is being written (BPF_RINGBUF_BUSY_BIT). */
const BUSY = 0x8000_0000 | 0;
/** The writer gave it up (BPF_RINGBUF_DISCARD_BIT). */
const DISCARDED = 0x4000_0000;
const LENGTH_MASK = 0x3fff_ffff;
const HEADER = 8;
/** Room is given back to the writers each time this part of the buffer has been read. */
const PART = 8;
const MAX_SIZE = 2 ** 30;

/** Gets a record: its bytes are `length` from `at` on. They are the buffer itself: they may be overwritten after the call. */
export type RecordVisitor = (bytes: Uint8Array, at: number, length: number) => void;

/** `records` were visited. `more`: some wait still, or one is being written. */
export interface RingRead {
  readonly records: number;
  readonly more: boolean;
}

/**
 * Reads the records of a ring-buffer map through shared memory: no system call and no copy a record. One reader a map. The layout is the kernel's: a page with the reader's
 * position (u64), a page with the writers', then the data, mapped twice so that no record is in two parts. A record is a header (u32 length with two flags, u32 of the
 * kernel's own) and its bytes, padded to 8. To sleep until there is something, add the map's descriptor to an Epoll; after waking read until `more` is false. BpfError,
 * RangeError when the map is no ring buffer.
 */
export class RingBuffer {
  /** Records that their writers gave up. */
  discarded = 0;
  readonly size: number;
  readonly #consumer: MappedMemory;
  readonly #producer: MappedMemory;
  readonly #data: Uint8Array;
  /** The lower halves of the positions are enough to tell how far apart they are: the buffer is smaller than what they can count. */
  readonly #consumerPosition: BigInt64Array;
  readonly #producerPosition: Int32Array;
  readonly #headers: Int32Array;
  #position: bigint;
  #closed = false;

  private constructor(size: number, consumer: MappedMemory, producer: MappedMemory) {
    const page = pageSize();
    this.size = size;
    this.#consumer = consumer;
    this.#producer = producer;
    this.#data = producer.bytes.subarray(page);
    this.#consumerPosition = new BigInt64Array(consumer.bytes.buffer, 0, 1);
    this.#producerPosition = new Int32Array(producer.bytes.buffer, 0, 1);
    this.#headers = new Int32Array(producer.bytes.buffer, page, (size * 2) / 4);
    this.#position = Atomics.load(this.#consumerPosition, 0);
  }

  /** Reading goes on where the last reader of the map stopped. */
  static open(map: BpfMap): RingBuffer {
    const size = map.maxEntries;
    if (map.type !== 'ringbuf' || size > MAX_SIZE) throw new RangeError(`map ${map.name} is no ring buffer of at most ${MAX_SIZE} bytes`);
    return attempt({ operation: 'map the memory of', object: `map ${map.name}`, needs: ['CAP_BPF'] }, () => {
      const page = pageSize();
      const consumer = MappedMemory.map(map.fd, page, { write: true });
      try {
        return new RingBuffer(size, consumer, MappedMemory.map(map.fd, page + size * 2, { offset: page }));
      } catch (error) {
        consumer.close();
        throw error;
      }
    });
  }

  /** Bytes that wait, with their headers. */
  get waiting(): number {
    if (this.#closed) return 0;
    return (Atomics.load(this.#producerPosition, 0) - Number(BigInt.asIntN(32, this.#position))) >>> 0;
  }

  /**
   * Visits what is there at the moment of the call, `limit` records at most. What a visitor got when it threw counts as read.
   */
  read(visit: RecordVisitor, limit: number = Number.POSITIVE_INFINITY): RingRead {
    const total = this.waiting;
    const mask = this.size - 1;
    const start = Number(BigInt.asUintN(32, this.#position)) & mask;
    const part = this.size / PART;
    let read = 0;
    let stored = 0;
    let records = 0;
    try {
      while (read < total && records < limit) {
        const at = (start + read) & mask;
        // Acquires what the writer wrote before it took the busy flag away.
        const header = Atomics.load(this.#headers, at >>> 2);
        if ((header & BUSY) !== 0) break;
        const length = header & LENGTH_MASK;
        read += (length + HEADER + 7) & ~7;
        if (read > total) throw new RangeError(`a record of ${length} bytes in a ring buffer where ${total} wait`);
        if ((header & DISCARDED) !== 0) this.discarded++;
        else {
          records++;
          visit(this.#data, at + HEADER, length);
        }
        if (read - stored >= part) {
          this.#store(read - stored);
          stored = read;
        }
      }
    } finally {
      if (read > stored) this.#store(read - stored);
    }
    return { records, more: this.waiting > 0 };
  }

  /** Gives the memory back; not while a visitor runs. Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#consumer.close();
    this.#producer.close();
  }

  #store(bytes: number): void {
    this.#position += BigInt(bytes);
    Atomics.store(this.#consumerPosition, 0, this.#position);
  }
}
