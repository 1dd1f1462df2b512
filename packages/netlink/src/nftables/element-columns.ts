import { Writer } from '@weir/wire/bytes';
import { closeAttribute, MAX_ATTRIBUTE, NLA_F_NESTED, openNest, putBytes, putU32, putU64 } from '../message/index.ts';
import { type ElementTarget, encodeTarget } from './element.ts';
import { type Commented, encodeComment } from './userdata.ts';

/**
 * Many keys in one array. A key is `keyLength` bytes: ceil(keyLength / 4) words in network order, the last one filled from its high end (port 80 is 0x00500000).
 * - `single`: key after key.
 * - `interval`: the first key of a range, then the key after its last; all zero for a range up to the highest key.
 * - `concatenated`: the first and the last key (inclusive) of a range in a concatenated interval set.
 */
export interface ElementColumns {
  readonly shape: 'single' | 'interval' | 'concatenated';
  readonly keyLength: number;
  readonly words: Uint32Array;
  /** Keys or ranges; `words` may be longer. */
  readonly count: number;
}

/** What every element of a call carries beside its key. */
export interface ElementExtras extends Commented {
  /** Milliseconds. */
  readonly timeout?: bigint;
  /** Of maps: the value of element `i` is `dataLength` bytes at word `i * ceil(dataLength / 4)`. */
  readonly data?: { readonly length: number; readonly words: Uint32Array };
}

/** Words of one key. */
export function wordsPerKey(keyLength: number): number {
  return (keyLength + 3) >> 2;
}

/** Words from one entry of the columns to the next. */
export function stride(columns: Pick<ElementColumns, 'shape' | 'keyLength'>): number {
  return wordsPerKey(columns.keyLength) * (columns.shape === 'single' ? 1 : 2);
}

/** NFTNL_UDATA_SET_ELEM_FLAGS with SET_ELEM_F_INTERVAL_OPEN: nft's mark on a range up to the highest key. */
const OPEN_END = new Uint8Array([1, 4, 1, 0, 0, 0]);

/**
 * The messages' bodies for a set's elements, as many as they need. Allocates for the call, not for each element.
 */
export class ElementEncoder {
  readonly #columns: ElementColumns;
  readonly #keyWords: number;
  readonly #stride: number;
  readonly #keyLength: number;
  readonly #valueLength: number;
  /** Attributes that follow the keys, and what a range up to the highest key has in their place. */
  readonly #tail: Uint8Array;
  readonly #openTail: Uint8Array;
  readonly #data: { readonly length: number; readonly words: Uint32Array } | undefined;
  /** The most entries that surely fit one message. */
  readonly perMessage: number;

  constructor(columns: ElementColumns, extras: ElementExtras = {}) {
    if (columns.words.length < columns.count * stride(columns)) throw new RangeError(`${columns.count} elements need more words`);
    this.#columns = columns;
    this.#keyWords = wordsPerKey(columns.keyLength);
    this.#stride = stride(columns);
    this.#keyLength = columns.keyLength;
    this.#valueLength = 4 + 4 + this.#keyWords * 4;
    this.#data = extras.data;
    const userdata = encodeComment(extras);
    this.#tail = tail(extras.timeout, userdata);
    this.#openTail = columns.shape === 'interval' ? tail(extras.timeout, userdata ? joined(userdata) : OPEN_END) : this.#tail;
    const data = extras.data ? 8 + wordsPerKey(extras.data.length) * 4 : 0;
    const closing = columns.shape === 'single' ? 0 : columns.shape === 'interval' ? 4 + this.#valueLength + 8 : this.#valueLength;
    const size = 4 + this.#valueLength + data + Math.max(this.#tail.length + closing, this.#openTail.length);
    this.perMessage = Math.floor((MAX_ATTRIBUTE - 4) / size);
    if (this.perMessage === 0) throw new RangeError(`elements of ${size} bytes`);
  }

  /** Which entry the attribute at `position` of a list that begins with entry `from` belongs to: a range makes two, one up to the highest key makes one. */
  entryAt(from: number, position: number): number {
    if (this.#columns.shape !== 'interval') return from + position;
    let entry = from;
    for (let passed = this.#attributes(entry); passed <= position && entry < this.#columns.count - 1; passed += this.#attributes(entry))
      entry++;
    return entry;
  }

  #attributes(entry: number): number {
    return isZero(this.#columns.words, entry * this.#stride + this.#keyWords, this.#keyWords) ? 1 : 2;
  }

  /** Writes entries `from` to `to` (not included; at most `perMessage`) after the target. */
  encode(w: Writer, target: ElementTarget, from: number, to: number): void {
    encodeTarget(w, target);
    const { words, shape } = this.#columns;
    const k = this.#keyWords;
    const list = openNest(w, 3);
    for (let i = from; i < to; i++) {
      const at = i * this.#stride;
      const open = shape === 'interval' && isZero(words, at + k, k);
      const extra = open ? this.#openTail : this.#tail;
      const data = this.#data;
      const dataWords = data ? wordsPerKey(data.length) : 0;
      const keys = shape === 'concatenated' ? 2 * this.#valueLength : this.#valueLength;
      w.u32LE(header(4 + keys + extra.length + (data ? 8 + dataWords * 4 : 0), 1));
      this.#key(w, 1, words, at);
      if (shape === 'concatenated') this.#key(w, 10, words, at + k);
      if (data) putWords(w, 2, data.length, data.words, i * dataWords);
      if (extra.length > 0) w.bytes(extra);
      if (shape === 'interval' && !open) {
        w.u32LE(header(4 + this.#valueLength + 8, 1));
        this.#key(w, 1, words, at + k);
        putU32(w, 3, 1);
      }
    }
    closeAttribute(w, list);
  }

  #key(w: Writer, type: number, words: Uint32Array, at: number): void {
    putWords(w, type, this.#keyLength, words, at);
  }
}

/**
 * Asks for one element by its key (GETSETELEM): by the first key of `entry`, or with `closing` for the end of the range that its last key lies in. The key after the last
 * one would be ambiguous: another range may begin there.
 */
export function encodeKeyQuery(w: Writer, target: ElementTarget, columns: ElementColumns, entry: number, closing: boolean): void {
  const k = wordsPerKey(columns.keyLength);
  const at = entry * stride(columns);
  encodeTarget(w, target);
  const list = openNest(w, 3);
  const item = openNest(w, 1);
  if (closing) putWords(w, 1, columns.keyLength, before(columns, at + k), 0);
  else putWords(w, 1, columns.keyLength, columns.words, at);
  if (columns.shape === 'concatenated') putWords(w, 10, columns.keyLength, columns.words, at + k);
  if (closing) putU32(w, 3, 1);
  closeAttribute(w, item);
  closeAttribute(w, list);
}

/** The key before the one at `at`, which is not zero. */
function before(columns: ElementColumns, at: number): Uint32Array {
  const k = wordsPerKey(columns.keyLength);
  const key = columns.words.slice(at, at + k);
  const unused = (4 - (columns.keyLength & 3)) & 3;
  let borrow = 2 ** (8 * unused);
  for (let i = k - 1; i >= 0 && borrow > 0; i--) {
    const word = key[i] ?? 0;
    key[i] = word - borrow;
    borrow = word < borrow ? 1 : 0;
  }
  return key;
}

/** A nest of `type` with one value of `length` bytes. */
function putWords(w: Writer, type: number, length: number, words: Uint32Array, at: number): void {
  const n = wordsPerKey(length);
  w.u32LE(header(8 + n * 4, type));
  w.u32LE((1 << 16) | (4 + length));
  for (let i = 0; i < n; i++) w.u32(words[at + i] ?? 0);
}

/** Length and type of a nest, as the u32 that they make. */
function header(length: number, type: number): number {
  return (((type | NLA_F_NESTED) << 16) | length) >>> 0;
}

function isZero(words: Uint32Array, at: number, n: number): boolean {
  for (let i = 0; i < n; i++) if (words[at + i] !== 0) return false;
  return true;
}

function tail(timeout: bigint | undefined, userdata: Uint8Array | undefined): Uint8Array {
  const w = new Writer(32);
  if (timeout !== undefined) putU64(w, 4, timeout);
  if (userdata) putBytes(w, 6, userdata);
  return w.finish();
}

function joined(userdata: Uint8Array): Uint8Array {
  const out = new Uint8Array(userdata.length + OPEN_END.length);
  out.set(userdata);
  out.set(OPEN_END, userdata.length);
  return out;
}
