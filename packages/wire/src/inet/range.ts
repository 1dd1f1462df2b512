import { compareIp, type Ip } from './ip.ts';
import { lastIp, type Prefix, prefixFromWords } from './prefix.ts';

/**
 * The fewest prefixes that together are the addresses `first` to `last`, both included, in order: at most 62 (IPv4) or 254 (IPv6). RangeError when the
 * families differ or `last` comes before `first`.
 */
export function rangePrefixes(first: Ip, last: Ip): Prefix[] {
  if (first.family !== last.family || compareIp(first, last) > 0) throw new RangeError('not a range of addresses');
  const out: Prefix[] = [];
  const bits = first.family === 4 ? 32 : 128;
  for (let at: Ip = first; ; ) {
    let length = bits - Math.min(trailingZeros(at), bits);
    let block = prefixFromWords(at.family, at.w0, at.w1, at.w2, at.w3, length);
    while (compareIp(lastIp(block), last) > 0) {
      length++;
      block = prefixFromWords(at.family, at.w0, at.w1, at.w2, at.w3, length);
    }
    out.push(block);
    const end = lastIp(block);
    if (compareIp(end, last) === 0) return out;
    at = nextIp(end);
  }
}

/** The prefix that is exactly the addresses `first` to `last`; undefined when there is none. */
export function rangeAsPrefix(first: Ip, last: Ip): Prefix | undefined {
  if (first.family !== last.family) return undefined;
  const length = sharedBits(first, last);
  const block = prefixFromWords(first.family, first.w0, first.w1, first.w2, first.w3, length);
  return compareIp(block, first) === 0 && compareIp(lastIp(block), last) === 0 ? block : undefined;
}

/** The address after this one; after the last comes the first. */
export function nextIp(ip: Ip): Ip {
  if (ip.family === 4) return { ...ip, w0: (ip.w0 + 1) >>> 0 };
  const w3 = (ip.w3 + 1) >>> 0;
  const w2 = w3 === 0 ? (ip.w2 + 1) >>> 0 : ip.w2;
  const w1 = w3 === 0 && w2 === 0 ? (ip.w1 + 1) >>> 0 : ip.w1;
  const w0 = w3 === 0 && w2 === 0 && w1 === 0 ? (ip.w0 + 1) >>> 0 : ip.w0;
  return { family: 6, w0, w1, w2, w3 };
}

/** The address before this one; before the first comes the last. */
export function previousIp(ip: Ip): Ip {
  if (ip.family === 4) return { ...ip, w0: (ip.w0 - 1) >>> 0 };
  const w3 = (ip.w3 - 1) >>> 0;
  const w2 = ip.w3 === 0 ? (ip.w2 - 1) >>> 0 : ip.w2;
  const w1 = ip.w3 === 0 && ip.w2 === 0 ? (ip.w1 - 1) >>> 0 : ip.w1;
  const w0 = ip.w3 === 0 && ip.w2 === 0 && ip.w1 === 0 ? (ip.w0 - 1) >>> 0 : ip.w0;
  return { family: 6, w0, w1, w2, w3 };
}

function sharedBits(a: Ip, b: Ip): number {
  const words = a.family === 4 ? [a.w0 ^ b.w0] : [a.w0 ^ b.w0, a.w1 ^ b.w1, a.w2 ^ b.w2, a.w3 ^ b.w3];
  let n = 0;
  for (const word of words) {
    const zeros = Math.clz32(word);
    n += zeros;
    if (zeros < 32) break;
  }
  return n;
}

function trailingZeros(ip: Ip): number {
  const words = ip.family === 4 ? [ip.w0] : [ip.w3, ip.w2, ip.w1, ip.w0];
  let n = 0;
  for (const word of words) {
    if (word !== 0) return n + 31 - Math.clz32(word & -word);
    n += 32;
  }
  return n;
}
