import type { Family } from '@weir/wire/inet';
import type { PrefixColumns } from '../model/member-delta.ts';

/** The prefixes of one family in several columns as one. */
export function joinColumns(family: Family, columns: readonly PrefixColumns[]): PrefixColumns {
  const parts = columns.filter((one) => one.family === family);
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const stride = family === 4 ? 1 : 4;
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const words = new Uint32Array(count * stride);
  const lengths = new Uint8Array(count);
  let at = 0;
  for (const part of parts) {
    words.set(part.words.subarray(0, part.count * stride), at * stride);
    lengths.set(part.lengths.subarray(0, part.count), at);
    at += part.count;
  }
  return { family, count, words, lengths };
}
