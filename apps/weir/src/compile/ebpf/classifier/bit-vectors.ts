import { type Geometry, PACKED_ALIGN } from './geometry.ts';
import { TooLarge } from './too-large.ts';

/** Vectors are looked for by two hashes of which 52 bits are used. */
const HIGH = 2 ** 26;
const FIRST_WORDS = 1 << 16;
/** Octets that the vectors of one dimension may take. */
const MOST_VECTOR_OCTETS: number = 256 * 1024 * 1024;

/** All vectors of a dimension, in the form that maps hold them in. */
export interface EncodedVectors {
  readonly form: 'dense' | 'packed';
  readonly octets: Uint8Array<ArrayBuffer>;
  /** By class. */
  readonly offsets: Int32Array;
}

/**
 * The vectors of the classes of a dimension, each once. What positions are set is told by `toggle`; `take` gives the class of what is set. Finding it again costs a hash that is
 * kept up to date, and a comparison.
 */
export class BitVectors {
  readonly #geometry: Geometry;
  /** The words at hand, as halves. */
  readonly #now: Int32Array;
  #hash = 0;
  #otherHash = 0;
  readonly #places = new Map<number, number>();
  /** Packed vectors one after the other; by class, where. */
  #data = new Int32Array(FIRST_WORDS);
  #used = 0;
  readonly #starts: number[] = [];

  constructor(geometry: Geometry) {
    this.#geometry = geometry;
    this.#now = new Int32Array(geometry.words * 2);
  }

  get count(): number {
    return this.#starts.length;
  }

  toggle(position: number): void {
    const word = position >> 5;
    this.#now[word] = (this.#now[word] ?? 0) ^ (1 << (position & 31));
    this.#hash ^= scramble(position);
    this.#otherHash ^= scramble(~position);
  }

  /** The class of the positions that are set now. TooLarge. */
  take(): number {
    const key = (this.#hash >>> 6) * HIGH + (this.#otherHash >>> 6);
    const known = this.#places.get(key);
    if (known !== undefined && this.#isAt(known)) return known;
    const made = this.#append();
    if (known === undefined) this.#places.set(key, made);
    return made;
  }

  /** Dense where that is no more than `mostDense` octets. */
  encode(mostDense: number): EncodedVectors {
    const { stride, words, packedHead } = this.#geometry;
    if (this.count * stride <= mostDense) return this.#dense();
    // A program may read as far as the longest vector from the start of any.
    const octets = new Uint8Array(this.#used * 4 + packedHead + words * 8);
    octets.set(new Uint8Array(this.#data.buffer, 0, this.#used * 4));
    return { form: 'packed', octets, offsets: Int32Array.from(this.#starts, (start) => start * 4) };
  }

  #dense(): EncodedVectors {
    const { stride, summaryWords } = this.#geometry;
    const out = new Int32Array((this.count * stride) / 4);
    for (const [index, start] of this.#starts.entries()) {
      const at = (index * stride) / 4;
      out.set(this.#data.subarray(start, start + summaryWords * 2), at);
      this.#eachWord(start, (word, from) => {
        out[at + (summaryWords + word) * 2] = this.#data[from] ?? 0;
        out[at + (summaryWords + word) * 2 + 1] = this.#data[from + 1] ?? 0;
      });
    }
    return { form: 'dense', octets: new Uint8Array(out.buffer), offsets: Int32Array.from(this.#starts.keys(), (index) => index * stride) };
  }

  /** Calls for each word that is not 0, with its number and where it is in the data. */
  #eachWord(start: number, visit: (word: number, from: number) => void): void {
    const { summaryWords, packedHead } = this.#geometry;
    let from = start + packedHead / 4;
    for (let half = 0; half < summaryWords * 2; half++) {
      for (let bits = this.#data[start + half] ?? 0; bits !== 0; bits &= bits - 1) {
        visit(half * 32 + 31 - Math.clz32(bits & -bits), from);
        from += 2;
      }
    }
  }

  #isAt(index: number): boolean {
    const start = this.#starts[index] ?? 0;
    const { summaryWords, packedHead, words } = this.#geometry;
    const now = this.#now;
    const data = this.#data;
    let from = start + packedHead / 4;
    for (let half = 0; half < summaryWords * 2; half++) {
      const summary = data[start + half] ?? 0;
      const end = Math.min(words - half * 32, 32);
      for (let bit = 0; bit < end; bit++) {
        const word = (half * 32 + bit) * 2;
        if ((summary & (1 << bit)) === 0) {
          if (((now[word] ?? 0) | (now[word + 1] ?? 0)) !== 0) return false;
          continue;
        }
        if (now[word] !== data[from] || now[word + 1] !== data[from + 1]) return false;
        from += 2;
      }
    }
    return true;
  }

  #append(): number {
    const { summaryWords, packedHead, words } = this.#geometry;
    const start = this.#used;
    this.#grow(start + packedHead / 4 + words * 2 + PACKED_ALIGN / 4);
    const data = this.#data;
    const now = this.#now;
    let at = start + packedHead / 4;
    let count = 0;
    for (let half = 0; half < summaryWords * 2; half++) {
      if ((half & 1) === 0) {
        const word = start + summaryWords * 2 + (half >> 2);
        data[word] = (data[word] ?? 0) | (count << (((half >> 1) & 1) * 16));
      }
      let summary = 0;
      const end = Math.min(words - half * 32, 32);
      for (let bit = 0; bit < end; bit++) {
        const word = (half * 32 + bit) * 2;
        const [low, high] = [now[word] ?? 0, now[word + 1] ?? 0];
        if ((low | high) === 0) continue;
        summary |= 1 << bit;
        data[at++] = low;
        data[at++] = high;
        count++;
      }
      data[start + half] = summary;
    }
    this.#used = Math.ceil((at * 4) / PACKED_ALIGN) * (PACKED_ALIGN / 4);
    return this.#starts.push(start) - 1;
  }

  #grow(words: number): void {
    if (words <= this.#data.length) return;
    if (words * 4 > MOST_VECTOR_OCTETS) throw new TooLarge(`vectors of more than ${MOST_VECTOR_OCTETS / 1024 / 1024} MiB`);
    const larger = new Int32Array(this.#data.length * 2);
    larger.set(this.#data.subarray(0, this.#used));
    this.#data = larger;
  }
}

/** The finalizer of MurmurHash3, 32 bits. */
function scramble(value: number): number {
  let h = Math.imul(value ^ 0x9e3779b9, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
