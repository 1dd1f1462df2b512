import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { covers, overlaps, type Prefix, prefix, prefixFromWords, printPrefix } from './prefix.ts';
import { PrefixTrie } from './prefix-trie.ts';

const args = (p: Prefix): [number, number, number, number, number] => [p.w0, p.w1, p.w2, p.w3, p.length];

/** Few distinct bits, at both ends of the address, so that prefixes nest and collide often. */
const prefixes = (family: 4 | 6): fc.Arbitrary<Prefix> =>
  fc
    .tuple(fc.constantFrom(0, 0x0a000000, 0x0a000001, 0x0a800000, 0xffffffff), fc.nat(3), fc.nat(family === 4 ? 32 : 128))
    .map(([high, low, length]) =>
      family === 4
        ? prefixFromWords(4, (high ^ low) >>> 0, 0, 0, 0, length)
        : prefixFromWords(6, high, low, (high ^ low) >>> 0, (low << 30) >>> 0, length),
    );

/** The same answers from a list. */
class Naive {
  readonly entries = new Map<string, Prefix>();
  covering(p: Prefix): string | undefined {
    const found = [...this.entries.values()].filter((e) => covers(e, p)).sort((a, b) => b.length - a.length)[0];
    return found && printPrefix(found);
  }
  parent(p: Prefix): string | undefined {
    const found = [...this.entries.values()].filter((e) => covers(e, p) && e.length < p.length).sort((a, b) => b.length - a.length)[0];
    return found && printPrefix(found);
  }
  under(p: Prefix): string[] {
    return [...this.entries.values()]
      .filter((e) => covers(p, e))
      .sort((a, b) => a.w0 - b.w0 || a.w1 - b.w1 || a.w2 - b.w2 || a.w3 - b.w3 || a.length - b.length)
      .map(printPrefix);
  }
  overlaps(p: Prefix): boolean {
    return [...this.entries.values()].some((e) => overlaps(e, p));
  }
}

function collect(trie: PrefixTrie, p: Prefix, below: (id: number) => boolean = () => true): string[] {
  const out: string[] = [];
  trie.under(...args(p), (id) => {
    out.push(printPrefix(trie.prefix(id)));
    return below(id);
  });
  return out;
}

describe('PrefixTrie', () => {
  test.each([4, 6] as const)('any history of IPv%i answers as a list does', (family) => {
    const step = fc.record({ add: fc.boolean(), p: prefixes(family), ask: prefixes(family) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const trie = new PrefixTrie(family, 2);
        const naive = new Naive();
        const ids = new Map<string, number>();
        for (const { add, p, ask } of steps) {
          const key = printPrefix(p);
          if (add) {
            const id = trie.intern(...args(p));
            expect(ids.get(key) ?? id).toBe(id);
            ids.set(key, id);
            naive.entries.set(key, p);
          } else {
            const id = trie.find(...args(p));
            expect(id).toBe(ids.get(key) ?? -1);
            if (id >= 0) trie.release(id);
            ids.delete(key);
            naive.entries.delete(key);
          }
          const covering = trie.covering(...args(ask));
          expect(covering < 0 ? undefined : printPrefix(trie.prefix(covering))).toBe(naive.covering(ask));
          expect(collect(trie, ask)).toEqual(naive.under(ask));
          expect(trie.overlaps(...args(ask))).toBe(naive.overlaps(ask));
          expect(trie.size).toBe(naive.entries.size);
          expect(trie.limit).toBeLessThanOrEqual(2 * steps.length);
        }
        for (const [key, id] of ids) {
          expect(printPrefix(trie.prefix(id))).toBe(key);
          const parent = trie.parent(id);
          expect(parent < 0 ? undefined : printPrefix(trie.prefix(parent))).toBe(naive.parent(trie.prefix(id)));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('ids are used again: a history that comes and goes does not grow', () => {
    const trie = new PrefixTrie(4);
    for (let round = 0; round < 50; round++) {
      const ids = Array.from({ length: 100 }, (_, i) => trie.intern(Math.imul(i + round, 0x9e3779b1) >>> 0, 0, 0, 0, 32));
      for (const id of ids) trie.release(id);
    }
    expect(trie.size).toBe(0);
    expect(trie.limit).toBeLessThanOrEqual(200);
  });

  test('a visitor may stay above an entry', () => {
    const trie = new PrefixTrie(4);
    for (const text of ['10.0.0.0/8', '10.0.0.0/24', '10.0.0.1/32', '10.1.0.0/16', '11.0.0.0/8']) trie.intern(...args(prefix(text)));
    expect(collect(trie, prefix('0.0.0.0/0'), () => false)).toEqual(['10.0.0.0/8', '11.0.0.0/8']);
    expect(collect(trie, prefix('10.0.0.0/8'), (id) => trie.length(id) === 8)).toEqual(['10.0.0.0/8', '10.0.0.0/24', '10.1.0.0/16']);
  });

  test('a branch point is no entry', () => {
    const trie = new PrefixTrie(4);
    trie.intern(...args(prefix('10.0.0.0/32')));
    trie.intern(...args(prefix('10.0.0.1/32')));
    expect(trie.find(...args(prefix('10.0.0.0/31')))).toBe(-1);
    expect(trie.covering(...args(prefix('10.0.0.0/31')))).toBe(-1);
    expect(() => trie.release(trie.limit - 1)).toThrow(RangeError);
  });
});
