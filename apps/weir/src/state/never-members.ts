import { type Family, type Prefix, prefix } from '@weir/wire/inet';
import { CoverIndex } from './cover-index.ts';

/** Shorter prefixes are refused whatever a guard says. */
export const SHORTEST: { readonly [F in Family]: number } = { 4: 8, 6: 16 };

/** No member of any set overlaps these: unspecified, loopback, link-local, multicast; IPv4-mapped IPv6. */
export const NEVER_MEMBERS: readonly Prefix[] = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '::/128',
  '::1/128',
  '::ffff:0:0/96',
  'fe80::/10',
  'ff00::/8',
].map(prefix);

const NEVER6 = new CoverIndex(6, NEVER_MEMBERS);

/** Whether the prefix at `words[at ..]` can be no member of any set. */
export function isNeverMember(family: Family, words: Uint32Array, at: number, length: number): boolean {
  if (length < SHORTEST[family]) return true;
  if (family === 6) return NEVER6.overlaps(words, at, length);
  // A prefix of 8 bits or more overlaps a listed one of at most 8 only by lying in it; 169.254.0.0/16 may also lie in the prefix.
  const w = words[at] as number;
  const top = w >>> 24;
  if (top === 0 || top === 127 || (top & 0xf0) === 0xe0) return true;
  const bits = Math.min(length, 16);
  return w >>> (32 - bits) === 0xa9fe >>> (16 - bits);
}
