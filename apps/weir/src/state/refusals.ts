import { type Family, type Prefix, prefixFromWords } from '@weir/wire/inet';
import { TokenBucket } from './token-bucket.ts';

/**
 * Why a route is not a member of a set whose community it carries:
 * `peer` the guard does not name the peer; `never` no set may have the prefix; `length`, `prefix` the guard's lengths and covering prefixes;
 * `protected` a deny set would cover a protected address; `leak` ONLY_TO_CUSTOMER says that the route is a leak (RFC 9234 section 5); `max-members` the set is full, `churn` the peer changes it too fast (these two wait).
 */
export type RefusalReason = 'peer' | 'never' | 'length' | 'prefix' | 'protected' | 'leak' | 'max-members' | 'churn';

const REFUSAL_REASONS: readonly RefusalReason[] = ['peer', 'never', 'length', 'prefix', 'protected', 'leak', 'max-members', 'churn'];

/** Refusals of one set that are told as events. */
const REPORTED = { rate: 10, burst: 20 };

/** How many refusals of a set are kept. */
const REFUSALS_KEPT = 100;

export interface Refusal {
  readonly peer: string;
  readonly prefix: Prefix;
  readonly reason: RefusalReason;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Counts of a set's refusals by reason since the start, and the last 100 of them in columns. */
export class Refusals {
  readonly #counts = new Float64Array(REFUSAL_REASONS.length);
  readonly #words = new Uint32Array(4 * REFUSALS_KEPT);
  readonly #lengths = new Uint8Array(REFUSALS_KEPT);
  readonly #families = new Uint8Array(REFUSALS_KEPT);
  readonly #reasons = new Uint8Array(REFUSALS_KEPT);
  readonly #peers: string[] = [];
  readonly #times = new Float64Array(REFUSALS_KEPT);
  readonly #reports = new TokenBucket(REPORTED, 0);
  #total = 0;

  /** The prefix is at `words[at ..]` with `length` bits. */
  record(reason: RefusalReason, peer: string, family: Family, words: Uint32Array, at: number, length: number, time: number): void {
    const code = REFUSAL_REASONS.indexOf(reason);
    this.#counts[code] = (this.#counts[code] as number) + 1;
    const slot = this.#total++ % REFUSALS_KEPT;
    for (let i = 0; i < 4; i++) this.#words[slot * 4 + i] = i === 0 || family === 6 ? (words[at + i] as number) : 0;
    this.#lengths[slot] = length;
    this.#families[slot] = family;
    this.#reasons[slot] = code;
    this.#peers[slot] = peer;
    this.#times[slot] = time;
  }

  /** Whether one more refusal may be told as an event: they are counted all, but told at a bounded rate. */
  mayReport(now: number): boolean {
    return this.#reports.take(now);
  }

  get total(): number {
    return this.#total;
  }

  counts(): { readonly [R in RefusalReason]: number } {
    const out: { [R in RefusalReason]: number } = {
      peer: 0,
      never: 0,
      length: 0,
      prefix: 0,
      protected: 0,
      leak: 0,
      'max-members': 0,
      churn: 0,
    };
    REFUSAL_REASONS.forEach((reason, i) => {
      out[reason] = this.#counts[i] as number;
    });
    return out;
  }

  /** The last refusals, newest first. */
  recent(): Refusal[] {
    const out: Refusal[] = [];
    for (let n = 1; n <= Math.min(this.#total, REFUSALS_KEPT); n++) {
      const slot = (this.#total - n) % REFUSALS_KEPT;
      const word = (i: number): number => this.#words[slot * 4 + i] as number;
      out.push({
        peer: this.#peers[slot] ?? '',
        prefix: prefixFromWords(this.#families[slot] === 6 ? 6 : 4, word(0), word(1), word(2), word(3), this.#lengths[slot] as number),
        reason: REFUSAL_REASONS[this.#reasons[slot] as number] ?? 'never',
        at: this.#times[slot] as number,
      });
    }
    return out;
  }
}
