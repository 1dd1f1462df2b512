import type { Family } from './ip.ts';

/** Octets that are looked up for a prefix: those of its address, and its length. */
const POSITIONS = { 4: 5, 6: 17 } as const;

/** The numbers that hashes of prefixes are made of: 256 for each position. */
export interface PrefixHashKey {
  readonly 4: Int32Array;
  readonly 6: Int32Array;
}

/**
 * Makes a key from a source of bits, or from the system's randomness. Prefixes are hashed by simple tabulation: each octet of the address, and the
 * length, picks a number of the key, and the hash is the exclusive or of them all. With linear probing the expected cost of an operation is constant whatever the
 * prefixes are, as long as whoever chooses them does not know the key (Patrascu and Thorup, The Power of Simple Tabulation Hashing, 2012).
 */
export function prefixHashKey(next?: () => number): PrefixHashKey {
  const fill = (family: Family): Int32Array => {
    const key = new Int32Array(POSITIONS[family] * 256);
    if (!next) return crypto.getRandomValues(key);
    for (let i = 0; i < key.length; i++) key[i] = next();
    return key;
  };
  return { 4: fill(4), 6: fill(6) };
}

/** The key of this thread: random, so that a peer cannot choose prefixes that collide. */
export const PREFIX_HASH_KEY: PrefixHashKey = prefixHashKey();

export function hashPrefix4(key: Int32Array, w0: number, length: number): number {
  return (
    (key[w0 >>> 24] as number) ^
    (key[256 | ((w0 >>> 16) & 255)] as number) ^
    (key[512 | ((w0 >>> 8) & 255)] as number) ^
    (key[768 | (w0 & 255)] as number) ^
    (key[1024 | length] as number)
  );
}

export function hashPrefix6(key: Int32Array, w0: number, w1: number, w2: number, w3: number, length: number): number {
  return word(key, 0, w0) ^ word(key, 1024, w1) ^ word(key, 2048, w2) ^ word(key, 3072, w3) ^ (key[4096 | length] as number);
}

function word(key: Int32Array, at: number, w: number): number {
  return (
    (key[at | (w >>> 24)] as number) ^
    (key[at | 256 | ((w >>> 16) & 255)] as number) ^
    (key[at | 512 | ((w >>> 8) & 255)] as number) ^
    (key[at | 768 | (w & 255)] as number)
  );
}
