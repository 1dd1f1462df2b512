import type { ElementColumns } from '@weir/netlink/nftables';
import { type Family, mask32 } from '@weir/wire/inet';
import type { PrefixColumns } from '../../model/member-delta.ts';
import type { RangeColumns } from '../backend.ts';

/** Prefixes as set elements: hosts as single keys, or ranges of the first address and the one after the last (all zero past the highest). */
export function elementColumns(prefixes: PrefixColumns, interval: boolean): ElementColumns {
  const { family, count, words, lengths } = prefixes;
  const k = family === 4 ? 1 : 4;
  const keyLength = family === 4 ? 4 : 16;
  if (!interval) return { shape: 'single', keyLength, words, count };
  const out = new Uint32Array(count * 2 * k);
  for (let i = 0; i < count; i++) {
    const at = i * 2 * k;
    const length = lengths[i] as number;
    let carry = 1;
    for (let j = k - 1; j >= 0; j--) {
      const first = words[i * k + j] as number;
      const last = (first | ~mask32(length - 32 * j)) >>> 0;
      const sum = last + carry;
      out[at + j] = first;
      out[at + k + j] = sum >>> 0;
      carry = sum > 0xffffffff ? 1 : 0;
    }
  }
  return { shape: 'interval', keyLength, words: out, count };
}

/** Elements of a dumped set as ranges with both ends included. */
export function rangeColumns(family: Family, columns: ElementColumns): RangeColumns {
  const k = family === 4 ? 1 : 4;
  const { count, words } = columns;
  if (columns.shape === 'single') return { family, count, firsts: words, lasts: words };
  const firsts = new Uint32Array(count * k);
  const lasts = new Uint32Array(count * k);
  for (let i = 0; i < count; i++) {
    const at = i * 2 * k;
    let borrow = columns.shape === 'interval' ? 1 : 0;
    for (let j = k - 1; j >= 0; j--) {
      firsts[i * k + j] = words[at + j] as number;
      const difference = (words[at + k + j] as number) - borrow;
      lasts[i * k + j] = difference >>> 0;
      borrow = difference < 0 ? 1 : 0;
    }
  }
  return { family, count, firsts, lasts };
}
