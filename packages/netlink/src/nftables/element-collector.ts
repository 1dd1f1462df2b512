import { DecodeError, type Reader } from '@weir/wire/bytes';
import { eachAttribute, readString } from '../message/index.ts';
import { type ElementColumns, wordsPerKey } from './element-columns.ts';

/**
 * Takes the elements of dumped messages apart into columns: the key, an inclusive end key where there is one, and whether it closes a range.
 * Memory grows by doubling up to `limit` elements; more is a RangeError.
 */
export class ElementCollector {
  readonly #keyWords: number;
  readonly #keyLength: number;
  readonly #limit: number;
  #keys: Uint32Array;
  #ends: Uint32Array | undefined;
  #closes: Uint8Array;
  #count = 0;
  #closing = 0;

  constructor(keyLength: number, limit = 8_000_000) {
    this.#keyLength = keyLength;
    this.#keyWords = wordsPerKey(keyLength);
    this.#limit = limit;
    this.#keys = new Uint32Array(64 * this.#keyWords);
    this.#closes = new Uint8Array(64);
  }

  get count(): number {
    return this.#count;
  }

  reset(): void {
    this.#count = 0;
    this.#closing = 0;
    this.#ends = undefined;
  }

  /** Takes the attributes of one NEWSETELEM message, if it is about `set`. Returns how many elements it had. DecodeError when they are malformed. */
  add(r: Reader, set: string): number {
    let name: string | undefined;
    let list: Reader | undefined;
    eachAttribute(r, (type, value) => {
      if (type === 2) name = readString(value);
      else if (type === 3) list = value;
    });
    if (name !== set || !list) return 0;
    return this.#addList(list);
  }

  #addList(list: Reader): number {
    const before = this.#count;
    const { bytes, end } = list;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = list.pos;
    while (at < end) {
      const next = attributeEnd(view, at, end, 'element');
      const index = this.#reserve();
      let keyed = false;
      for (let a = at + 4; a < next; ) {
        const stop = attributeEnd(view, a, next, 'element attribute');
        const type = view.getUint16(a + 2, true) & 0x3fff;
        if (type === 1) {
          this.#readKey(view, a + 4, stop, this.#keys, index);
          keyed = true;
        } else if (type === 10) {
          this.#ends ??= new Uint32Array(this.#keys.length);
          this.#readKey(view, a + 4, stop, this.#ends, index);
        } else if (type === 3) {
          if (stop - a < 8) throw new DecodeError('flags are cut short', a, 'NFTA_SET_ELEM_FLAGS');
          if (view.getUint32(a + 4) & 1) {
            this.#closes[index] = 1;
            this.#closing++;
          }
        }
        a = aligned(a, stop, next);
      }
      // The catch-all element has no key and is no member of the columns.
      if (!keyed) {
        if (this.#closes[index]) this.#closing--;
        this.#closes[index] = 0;
        this.#count--;
      }
      at = aligned(at, next, end);
    }
    return this.#count - before;
  }

  #readKey(view: DataView, at: number, end: number, into: Uint32Array, index: number): void {
    const stop = attributeEnd(view, at, end, 'NFTA_SET_ELEM_KEY');
    if (stop - at - 4 !== this.#keyLength) {
      throw new DecodeError(`a key of ${stop - at - 4} bytes in a set of ${this.#keyLength}`, at, 'NFTA_SET_ELEM_KEY');
    }
    const base = index * this.#keyWords;
    for (let i = 0; i < this.#keyWords; i++) {
      const p = at + 4 + i * 4;
      into[base + i] = p + 4 <= stop ? view.getUint32(p) : partial(view, p, stop);
    }
  }

  #reserve(): number {
    const index = this.#count;
    if (index >= this.#limit) throw new RangeError(`more than ${this.#limit} elements`);
    if (index >= this.#closes.length) {
      const capacity = this.#closes.length * 2;
      this.#keys = grown(this.#keys, capacity * this.#keyWords);
      if (this.#ends) this.#ends = grown(this.#ends, capacity * this.#keyWords);
      const closes = new Uint8Array(capacity);
      closes.set(this.#closes);
      this.#closes = closes;
    }
    this.#closes[index] = 0;
    if (this.#ends) this.#ends.fill(0, index * this.#keyWords, (index + 1) * this.#keyWords);
    this.#count++;
    return index;
  }

  /** The keys as they came, for sets without ranges. Shares memory with the collector. */
  singles(): ElementColumns {
    return { shape: 'single', keyLength: this.#keyLength, words: this.#keys, count: this.#count };
  }

  /** Keys with their inclusive ends, for concatenated interval sets; an element without an end ends where it begins. */
  concatenated(): ElementColumns {
    const k = this.#keyWords;
    const words = new Uint32Array(this.#count * 2 * k);
    for (let i = 0; i < this.#count; i++) {
      const own = this.#ends && !isZero(this.#ends, i * k, k);
      for (let j = 0; j < k; j++) {
        const start = this.#keys[i * k + j] ?? 0;
        words[i * 2 * k + j] = start;
        words[i * 2 * k + k + j] = own ? (this.#ends?.[i * k + j] ?? 0) : start;
      }
    }
    return { shape: 'concatenated', keyLength: this.#keyLength, words, count: this.#count };
  }

  /**
   * Ranges in ascending order, from first keys and closing keys in any order. A first key that no closing key follows runs to the next first key, or
   * to the highest key (end all zero). Closing keys without a beginning, as nft writes one for the lowest key, are left out.
   */
  intervals(): ElementColumns {
    const k = this.#keyWords;
    const order = this.#sorted();
    const words = new Uint32Array(2 * k * (this.#count - this.#closing));
    let count = 0;
    let open = false;
    for (let i = 0; i < order.length; i++) {
      const index = order[i] ?? 0;
      if (this.#closes[index]) {
        if (open) copy(this.#keys, index * k, words, (count - 1) * 2 * k + k, k);
        open = false;
      } else {
        if (open) copy(this.#keys, index * k, words, (count - 1) * 2 * k + k, k);
        copy(this.#keys, index * k, words, count * 2 * k, k);
        count++;
        open = true;
      }
    }
    return { shape: 'interval', keyLength: this.#keyLength, words, count };
  }

  /** Indices by key; where keys are equal the closing one first. */
  #sorted(): Uint32Array {
    const n = this.#count;
    const order = new Uint32Array(n);
    const compare = (a: number, b: number): number => {
      for (let i = 0; i < this.#keyWords; i++) {
        const difference = (this.#keys[a * this.#keyWords + i] ?? 0) - (this.#keys[b * this.#keyWords + i] ?? 0);
        if (difference !== 0) return difference;
      }
      return (this.#closes[b] ?? 0) - (this.#closes[a] ?? 0);
    };
    let ascending = true;
    let descending = true;
    for (let i = 1; i < n && (ascending || descending); i++) {
      const c = compare(i - 1, i);
      if (c > 0) ascending = false;
      if (c < 0) descending = false;
    }
    for (let i = 0; i < n; i++) order[i] = descending && !ascending ? n - 1 - i : i;
    if (ascending || descending) return order;
    if (this.#keyWords > 1) return order.sort(compare);
    // One word: the key, what it is and its index fit a double exactly up to 2^53, which sorts natively.
    const composite = new Float64Array(n);
    for (let i = 0; i < n; i++) composite[i] = (this.#keys[i] ?? 0) * 2 + (this.#closes[i] ? 0 : 1);
    return sortByKey(composite, order);
  }
}

/** Sorts `order` by `keys` (33 bits each): by 20 bits of index where they fit, else by comparing. */
function sortByKey(keys: Float64Array, order: Uint32Array): Uint32Array {
  const n = keys.length;
  if (n > 2 ** 20) return order.sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0));
  const packed = new Float64Array(n);
  for (let i = 0; i < n; i++) packed[i] = (keys[i] ?? 0) * 2 ** 20 + i;
  packed.sort();
  for (let i = 0; i < n; i++) order[i] = (packed[i] ?? 0) % 2 ** 20;
  return order;
}

function copy(from: Uint32Array, at: number, to: Uint32Array, into: number, n: number): void {
  for (let i = 0; i < n; i++) to[into + i] = from[at + i] ?? 0;
}

function grown(array: Uint32Array, length: number): Uint32Array {
  const out = new Uint32Array(length);
  out.set(array);
  return out;
}

function attributeEnd(view: DataView, at: number, end: number, field: string): number {
  if (end - at < 4) throw new DecodeError(`${field}: ${end - at} bytes left`, at, field);
  const length = view.getUint16(at, true);
  if (length < 4 || length > end - at) throw new DecodeError(`${field}: nla_len is ${length}, ${end - at} bytes left`, at, 'nla_len');
  return at + length;
}

/** Where the next attribute begins, given where this one began and ended. */
function aligned(at: number, stop: number, end: number): number {
  return Math.min(at + ((stop - at + 3) & ~3), end);
}

function partial(view: DataView, at: number, stop: number): number {
  let word = 0;
  for (let i = 0; i < 4; i++) word = word * 256 + (at + i < stop ? view.getUint8(at + i) : 0);
  return word;
}

function isZero(words: Uint32Array, at: number, n: number): boolean {
  for (let i = 0; i < n; i++) if (words[at + i] !== 0) return false;
  return true;
}
