/**
 * A histogram of durations with 32 buckets to each power of two, so that a quantile is off by at most 3 %. Values are milliseconds from 1 us to about
 * 74 minutes; what lies outside counts in the first or last bucket. 1,024 counters, whatever is recorded.
 */
export class Histogram {
  readonly #counts = new Float64Array(1024);
  #count = 0;
  #sum = 0;
  #max = 0;

  record(ms: number): void {
    if (!(ms >= 0)) return;
    this.#count++;
    this.#sum += ms;
    if (ms > this.#max) this.#max = ms;
    const index = bucketOf(ms * 1000);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  get max(): number {
    return this.#max;
  }

  /** The value, in milliseconds, that a share `q` (0-1) of what was recorded does not exceed; 0 when nothing was. */
  quantile(q: number): number {
    if (this.#count === 0) return 0;
    const rank = Math.max(1, Math.ceil(q * this.#count));
    let seen = 0;
    for (let i = 0; i < this.#counts.length; i++) {
      seen += this.#counts[i] ?? 0;
      if (seen >= rank) return Math.min(this.#max, upperBound(i) / 1000);
    }
    return this.#max;
  }
}

/** Microseconds to a bucket: the power of two, then the next five bits. */
function bucketOf(us: number): number {
  if (us < 1) return 0;
  const exponent = Math.floor(Math.log2(us));
  const within = Math.floor((us / 2 ** exponent - 1) * 32);
  return Math.min(1023, exponent * 32 + Math.min(31, Math.max(0, within)));
}

function upperBound(bucket: number): number {
  return 2 ** Math.floor(bucket / 32) * (1 + ((bucket % 32) + 1) / 32);
}
