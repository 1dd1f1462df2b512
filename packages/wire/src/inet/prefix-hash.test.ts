import { describe, expect, it } from 'vitest';
import { hashPrefix4, hashPrefix6, PREFIX_HASH_KEY, prefixHashKey } from './prefix-hash.ts';
import { PrefixTable } from './prefix-table.ts';

/** Numbers that are the same in every run. */
function numbers(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x;
  };
}

describe('hashes of prefixes', () => {
  it('differ from key to key', () => {
    const a = prefixHashKey(numbers(1));
    const b = prefixHashKey(numbers(2));
    expect(hashPrefix4(a[4], 0xc0000201, 32)).toBe(hashPrefix4(prefixHashKey(numbers(1))[4], 0xc0000201, 32));
    expect(hashPrefix4(a[4], 0xc0000201, 32)).not.toBe(hashPrefix4(b[4], 0xc0000201, 32));
    expect(hashPrefix4(a[4], 0xc0000201, 32)).not.toBe(hashPrefix4(PREFIX_HASH_KEY[4], 0xc0000201, 32));
  });

  it('depend on every octet and on the length', () => {
    const key = prefixHashKey(numbers(3));
    const base = [0x20010db8, 0x12345678, 0x9abcdef0, 1];
    const hash = (words: readonly number[], length: number): number =>
      hashPrefix6(key[6], words[0]!, words[1]!, words[2]!, words[3]!, length);
    const seen = new Set([hash(base, 128), hash(base, 127)]);
    for (let i = 0; i < 16; i++) {
      const words = [...base];
      words[i >> 2] = (words[i >> 2]! ^ (1 << (8 * (i & 3)))) >>> 0;
      seen.add(hash(words, 128));
    }
    expect(seen.size).toBe(18);
    const four = new Set([0, 8, 16, 24].map((shift) => hashPrefix4(key[4], (0xc0000201 ^ (1 << shift)) >>> 0, 32)));
    expect(four.add(hashPrefix4(key[4], 0xc0000201, 32)).add(hashPrefix4(key[4], 0xc0000201, 31)).size).toBe(6);
  });

  it('that collide under one key are spread by another', () => {
    const known = prefixHashKey(numbers(4));
    const chosen: number[] = [];
    for (let w = 0; chosen.length < 64; w++) if ((hashPrefix4(known[4], w, 32) & 0xfff) === 0) chosen.push(w);
    const homes = (key: Int32Array): number => new Set(chosen.map((w) => hashPrefix4(key, w, 32) & 0xfff)).size;
    expect(homes(known[4])).toBe(1);
    expect(homes(prefixHashKey(numbers(5))[4])).toBeGreaterThan(48);
  });

  it('a table with a given key works as any other', () => {
    const table = new PrefixTable(
      4,
      4,
      prefixHashKey(() => 0),
    );
    const ids = [1, 2, 3, 4, 5].map((w) => table.intern(w, 0, 0, 0, 32));
    table.release(ids[1]!);
    expect([1, 2, 3, 4, 5].map((w) => table.find(w, 0, 0, 0, 32))).toEqual([0, -1, 2, 3, 4]);
  });
});
