/** A key of 64 bits, as two words. */
export interface HashKey {
  readonly k0: number;
  readonly k1: number;
}

/** A key from the system's randomness. */
export function randomHashKey(): HashKey {
  const [k0 = 0, k1 = 0] = crypto.getRandomValues(new Int32Array(2));
  return { k0, k1 };
}

/**
 * HalfSipHash with 32 bits of result, for hash tables over bytes that others choose: without the key nobody can find bytes that collide. `compression`
 * rounds for each word and `finalization` at the end; 1 and 3 is what tables use, 2 and 4 is the stronger variant.
 */
export function halfSipHash({ k0, k1 }: HashKey, bytes: Uint8Array, compression = 1, finalization = 3): number {
  let v0 = k0;
  let v1 = k1;
  let v2 = 0x6c796765 ^ k0;
  let v3 = 0x74656462 ^ k1;
  const { length } = bytes;
  const whole = length & ~3;
  // The last word: what is left, and the length.
  let last = length << 24;
  for (let at = whole, shift = 0; at < length; at++, shift += 8) last |= (bytes[at] as number) << shift;
  for (let at = 0; at <= whole; at += 4) {
    const m =
      at < whole
        ? (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)
        : last;
    v3 ^= m;
    for (let rounds = compression; rounds > 0; rounds--) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= m;
  }
  v2 ^= 0xff;
  for (let rounds = finalization; rounds > 0; rounds--) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  return v1 ^ v3;
}
