/** Segments that may wait for a missing one, in one direction of one connection. */
const MAX_WAITING = 1024;
/** Octets that they may hold together. */
const MAX_WAITING_OCTETS = 1024 * 1024;

interface Waiting {
  readonly sequence: number;
  readonly data: Uint8Array;
}

/** Octets in order, or how many are missing before the ones that follow. */
export type Ordered = { readonly kind: 'data'; readonly data: Uint8Array } | { readonly kind: 'gap'; readonly octets: number };

/**
 * Puts the segments of one direction into order. What comes too early waits, at most 1,024 segments and 1 MiB of it; then the missing octets are given up as a gap. Data are views of what
 * was pushed.
 */
export class Reassembly {
  /** The sequence number that comes next. */
  #next: number | undefined;
  #waiting: Waiting[] = [];
  #waitingOctets = 0;

  /** Takes a segment's data; `sequence` is that of its first octet (SYN counted). Returns what is now in order. */
  push(sequence: number, data: Uint8Array): readonly Ordered[] {
    if (data.length === 0) return [];
    this.#next ??= sequence;
    const ahead = (sequence - this.#next) | 0;
    if (ahead > 0) {
      this.#wait({ sequence, data });
      return this.#waiting.length > MAX_WAITING || this.#waitingOctets > MAX_WAITING_OCTETS ? this.flush() : [];
    }
    const out: Ordered[] = [];
    this.#deliver(sequence, data, out);
    this.#drain(out);
    return out;
  }

  /** A SYN with this sequence number: what came before belongs to another connection. */
  restart(sequence: number): void {
    this.#next = (sequence + 1) >>> 0;
    this.#waiting = [];
    this.#waitingOctets = 0;
  }

  /** Gives up the octets that are missing before the first waiting segment. */
  flush(): readonly Ordered[] {
    const [first] = this.#waiting;
    if (!first || this.#next === undefined) return [];
    const out: Ordered[] = [{ kind: 'gap', octets: (first.sequence - this.#next) | 0 }];
    this.#next = first.sequence;
    this.#drain(out);
    return out;
  }

  #deliver(sequence: number, data: Uint8Array, out: Ordered[]): void {
    const known = ((this.#next ?? sequence) - sequence) | 0;
    if (known >= data.length) return;
    out.push({ kind: 'data', data: known > 0 ? data.subarray(known) : data });
    this.#next = (sequence + data.length) >>> 0;
  }

  #drain(out: Ordered[]): void {
    let taken = 0;
    for (const { sequence, data } of this.#waiting) {
      if (((sequence - (this.#next ?? sequence)) | 0) > 0) break;
      this.#deliver(sequence, data, out);
      this.#waitingOctets -= data.length;
      taken++;
    }
    if (taken > 0) this.#waiting.splice(0, taken);
  }

  /** Keeps the waiting segments in order of their sequence numbers. */
  #wait(segment: Waiting): void {
    let at = this.#waiting.length;
    while (at > 0 && (((this.#waiting[at - 1]?.sequence ?? 0) - segment.sequence) | 0) > 0) at--;
    this.#waiting.splice(at, 0, segment);
    this.#waitingOctets += segment.data.length;
  }
}
