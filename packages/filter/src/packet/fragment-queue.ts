/** A stretch of a packet's data without a hole, in the fragments that came in order. */
interface Run {
  start: number;
  end: number;
}

/** Bits of what the fragments say about congestion (RFC 3168): 1 << ECN field. */
const NOT_ECT = 1;
const CE = 8;

export type Queued = 'held' | 'complete' | 'duplicate' | 'refused' | 'discarded';

/**
 * The fragments of one packet, put together as Linux does: a fragment inside a run that is there is a duplicate; one that overlaps otherwise discards all. Holds at most
 * 128 KiB, as offsets are below 64 KiB.
 */
export class FragmentQueue {
  readonly #runs: Run[] = [];
  readonly #data = new Map<number, Uint8Array>();
  /** The run that reaches furthest. */
  #tail: Run | undefined;
  #length = 0;
  #last = false;
  #ecn = 0;
  /** Octets that it holds. */
  octets = 0;

  /**
   * Takes data [offset, offset + data.length) of the packet. `strict` is IPv6, where a length that is no multiple of eight is refused and a contradiction costs only the fragment, not the
   * packet.
   */
  add(offset: number, data: Uint8Array, more: boolean, ecn: number, strict: boolean): Queued {
    let end = offset + data.length;
    const contradiction = strict ? 'refused' : 'discarded';
    if (!more) {
      if (end < this.#length || (this.#last && end !== this.#length)) return contradiction;
      this.#last = true;
      this.#length = end;
    } else {
      if (end % 8 !== 0) {
        if (strict) return 'discarded';
        end -= end % 8;
      }
      if (end > this.#length) {
        if (this.#last) return contradiction;
        this.#length = end;
      }
    }
    if (end <= offset) return contradiction;
    const placed = this.#place(offset, end);
    if (placed !== 'held') return placed;
    this.#data.set(offset, data.subarray(0, end - offset));
    this.octets += end - offset;
    this.#ecn |= 1 << ecn;
    return this.#last && this.#data.has(0) && this.octets === this.#length ? 'complete' : 'held';
  }

  #place(start: number, end: number): Queued {
    const tail = this.#tail;
    if (tail === undefined || tail.end < end) {
      if (tail !== undefined && start < tail.end) return 'discarded';
      if (tail !== undefined && start === tail.end) tail.end = end;
      else this.#open(start, end, true);
      return 'held';
    }
    const met = this.#runs.find((run) => end > run.start && start < run.end);
    if (met === undefined) {
      this.#open(start, end, false);
      return 'held';
    }
    return start >= met.start && end <= met.end ? 'duplicate' : 'discarded';
  }

  #open(start: number, end: number, furthest: boolean): void {
    const run = { start, end };
    this.#runs.push(run);
    if (furthest) this.#tail = run;
  }

  /** What the ECN field gets on top of that of the first fragment; undefined when the fragments contradict each other (RFC 3168 section 5.3). */
  ecn(): number | undefined {
    const others = this.#ecn & ~NOT_ECT;
    if ((this.#ecn & NOT_ECT) !== 0) return others === 0 ? 0 : undefined;
    return (this.#ecn & CE) !== 0 && this.#ecn !== CE ? 3 : 0;
  }

  /** The data, when it is complete, after `header`. */
  join(header: Uint8Array): Uint8Array {
    const out = new Uint8Array(header.length + this.#length);
    out.set(header);
    for (const [offset, data] of this.#data) out.set(data, header.length + offset);
    return out;
  }

  /** Of the packet's data. */
  get length(): number {
    return this.#length;
  }
}
