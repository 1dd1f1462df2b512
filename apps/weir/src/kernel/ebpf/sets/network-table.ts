import { SET_LAYOUT } from '../../../model/set-layout.ts';
import { below, coverOf, publish, slotOf } from './entries.ts';
import { lonelyLength, lonelyWord } from './lonely.ts';

const { slotWords, networksFrom, networksOctets } = SET_LAYOUT;

const STATES = ['none', 'all', 'some'] as const;
const [NONE, ALL, SOME] = [0, 1, 2];
/** Sixteen times ALL. */
const ALL_OF_IT = 0x5555_5555;
/** Words for a network of 16 bits. */
const WORDS = 16;

/** What there is of each IPv4 network of 24 bits: what a look-up asks first, and nearly always the last thing that it asks. */
export class NetworkTable {
  readonly #words: Int32Array;
  readonly #first: number;

  /** Over memory that it fits into. */
  constructor(words: Int32Array) {
    this.#words = words;
    this.#first = words.length - networksOctets / 4;
  }

  /** Whether memory is large enough to have one. */
  static fits(words: Int32Array): boolean {
    return words.byteLength >= networksFrom;
  }

  stateOf(w0: number): (typeof STATES)[number] {
    return STATES[((this.#words[this.#first + (w0 >>> 12)] as number) >>> (((w0 >>> 8) & 15) * 2)) & 3] ?? 'some';
  }

  /** Brings it in line with the trie where a member was added or removed. */
  update(w0: number, length: number): void {
    const from = w0 >>> 12;
    const count = length < 20 ? 2 ** (20 - length) : 1;
    for (let at = from; at < from + count; at++) {
      const word = this.#wordOf(at);
      if (this.#words[this.#first + at] !== word) publish(this.#words, this.#first + at, word);
    }
  }

  /** Whether it says what the trie has. */
  isSound(): boolean {
    for (let at = 0; at < 2 ** 20; at++) if (this.#words[this.#first + at] !== this.#wordOf(at)) return false;
    return true;
  }

  /** What the trie has of the first 20 bits of an address. */
  #wordOf(first20: number): number {
    const words = this.#words;
    const entry = words[Math.floor(first20 / WORDS)] as number;
    if (coverOf(entry) !== 0) return ALL_OF_IT;
    const under = below(entry);
    if (under > 0) return this.#wordOfEntry(words[slotOf(under) * slotWords + (first20 % WORDS)] as number);
    if (under === 0) return 0;
    const fourth = (lonelyWord(under) >>> 12) & 15;
    const length = lonelyLength(under);
    if (length > 20) return fourth === first20 % WORDS ? this.#wordOfEntry(under) : 0;
    const index = first20 % WORDS;
    return index >= fourth && index < fourth + (1 << (20 - length)) ? ALL_OF_IT : 0;
  }

  /** Of an entry for 20 bits. */
  #wordOfEntry(entry: number): number {
    if (coverOf(entry) !== 0) return ALL_OF_IT;
    const under = below(entry);
    if (under === 0) return 0;
    let word = 0;
    if (under < 0) {
      const fifth = (lonelyWord(under) >>> 8) & 15;
      const length = lonelyLength(under);
      if (length > 24) return SOME << (2 * fifth);
      for (let i = fifth; i < fifth + (1 << (24 - length)); i++) word |= ALL << (2 * i);
      return word;
    }
    const node = slotOf(under) * slotWords;
    for (let i = 0; i < 16; i++) {
      const one = this.#words[node + i] as number;
      word |= (coverOf(one) !== 0 ? ALL : one === 0 ? NONE : SOME) << (2 * i);
    }
    return word;
  }
}
