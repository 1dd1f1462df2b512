import { type Family, type Ip, type Prefix, prefixFromWords } from '@weir/wire/inet';
import type { PrefixColumns } from '../../model/member-delta.ts';

/** Prefix `i` of some columns. */
export function prefixAt({ family, words, lengths }: PrefixColumns, i: number): Prefix {
  const ip = ipAt(family, words, i);
  return prefixFromWords(family, ip.w0, ip.w1, ip.w2, ip.w3, lengths[i] as number);
}

/** Address `i` of a column of words. */
export function ipAt(family: Family, words: Uint32Array, i: number): Ip {
  if (family === 4) return { family: 4, w0: words[i] as number, w1: 0, w2: 0, w3: 0 };
  const at = i * 4;
  return { family: 6, w0: words[at] as number, w1: words[at + 1] as number, w2: words[at + 2] as number, w3: words[at + 3] as number };
}

export function eachPrefix(
  { family, count, words, lengths }: PrefixColumns,
  visit: (w0: number, w1: number, w2: number, w3: number, length: number, i: number) => void,
): void {
  for (let i = 0; i < count; i++) {
    if (family === 4) visit(words[i] as number, 0, 0, 0, lengths[i] as number, i);
    else {
      const at = i * 4;
      visit(words[at] as number, words[at + 1] as number, words[at + 2] as number, words[at + 3] as number, lengths[i] as number, i);
    }
  }
}
