import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { halfSipHash, randomHashKey } from './half-sip-hash.ts';
import { printHex } from './hex.ts';

describe('halfSipHash', () => {
  /** The first of the reference implementation's vectors: key 0001..07, input 00, 0001, ..., HalfSipHash-2-4 with 32 bits, octets as they are in memory. */
  it.each([
    { length: 0, want: 'a9359f5b' },
    { length: 1, want: '27475ab8' },
    { length: 2, want: 'fa62a603' },
    { length: 3, want: '8afee704' },
  ])('$length octets', ({ length, want }) => {
    const input = Uint8Array.from({ length }, (_, i) => i);
    const hash = halfSipHash({ k0: 0x03020100, k1: 0x07060504 }, input, 2, 4);
    expect(printHex(Uint8Array.of(hash, hash >>> 8, hash >>> 16, hash >>> 24))).toBe(want);
  });

  it('depends on every octet and on the key', () => {
    const a = randomHashKey();
    const b = randomHashKey();
    let same = 0;
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), (bytes, n) => {
        const other = bytes.slice();
        const at = n % bytes.length;
        other[at] = (bytes[at] as number) ^ 1;
        expect(halfSipHash(a, bytes)).toBe(halfSipHash(a, bytes.slice()));
        if (halfSipHash(a, bytes) === halfSipHash(a, other)) same++;
        if (halfSipHash(a, bytes) === halfSipHash(b, bytes)) same++;
      }),
    );
    expect(same).toBeLessThanOrEqual(1);
  });
});
