import { SET_LAYOUT } from '../../../model/set-layout.ts';
import { below, coverOf, publish, slotOf } from './entries.ts';
import { lonelyLength, lonelyWord } from './lonely.ts';

const { slotWords } = SET_LAYOUT;

/** What a summary says of 256 addresses. */
export const NONE = 0;
export const ALL = 1;
const SOME = 2;

/** The first node of an IPv4 network of 16 bits lies behind its summary. */
export function nodeBehind(summary: number): number {
  return summary + 1;
}

/** Brings the words of a summary in line with the entries `first` to `first + count - 1` of the node behind it. */
export function summarise(words: Int32Array, summary: number, first: number, count: number): void {
  for (let index = first; index < first + count; index++) {
    const word = wordOf(words, words[nodeBehind(summary) * slotWords + index] as number);
    if (words[summary * slotWords + index] !== word) publish(words, summary * slotWords + index, word);
  }
}

/** What the summary says of the 256 addresses around one. */
export function summaryOf(words: Int32Array, summary: number, w0: number): number {
  return ((words[summary * slotWords + ((w0 >>> 12) & 15)] as number) >>> (((w0 >>> 8) & 15) * 2)) & 3;
}

/** Sixteen times two bits, of an entry for 20 bits. */
function wordOf(words: Int32Array, entry: number): number {
  if (coverOf(entry) !== 0) return 0x5555_5555;
  const under = below(entry);
  if (under === 0) return 0;
  let word = 0;
  if (under < 0) {
    const third = (lonelyWord(under) >>> 8) & 15;
    const length = lonelyLength(under);
    if (length > 24) return SOME << (2 * third);
    for (let i = third; i < third + (1 << (24 - length)); i++) word |= ALL << (2 * i);
    return word;
  }
  const node = slotOf(under) * slotWords;
  for (let i = 0; i < 16; i++) {
    const one = words[node + i] as number;
    word |= (coverOf(one) !== 0 ? ALL : one === 0 ? NONE : SOME) << (2 * i);
  }
  return word;
}
