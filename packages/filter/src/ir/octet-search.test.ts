import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findOctets } from './octet-search.ts';
import { keyOctets } from './octets.ts';
import { compileWildcard } from './wildcard.ts';

const ab = fc.array(fc.constantFrom('a', 'b'), { maxLength: 12 }).map((letters) => letters.join(''));

describe('searching', () => {
  it('finds what a search of text finds', () => {
    fc.assert(
      fc.property(ab, ab, fc.nat(12), (text, needle, from) => {
        fc.pre(from <= text.length);
        expect(findOctets(keyOctets(text), keyOctets(needle), from)).toBe(text.indexOf(needle, from));
      }),
      { numRuns: 1000 },
    );
  });

  it('wildcards match what a regular expression matches', () => {
    const pattern = fc
      .array(fc.constantFrom('a', 'b', 'A', '*', '\\*', '\\\\'), { maxLength: 8 })
      .map((parts) => parts.join('').replace(/(?<!\\)\*+/g, '*'));
    const value = fc.array(fc.constantFrom('a', 'b', 'A', '*', '\\'), { maxLength: 10 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(pattern, value, fc.boolean(), (glob, text, strict) => {
        fc.pre(!/(^|[^\\])(\\\\)*\*\*/.test(glob));
        const source = glob.replace(/\\[*\\]|\*|[^*\\]/g, (part) => (part === '*' ? '.*' : part.length === 2 ? part : part));
        const want = new RegExp(`^(?:${source})$`, strict ? 's' : 'si').test(text);
        expect(compileWildcard(keyOctets(glob), strict)(keyOctets(text))).toBe(want);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    { input: '*a*a*', value: 'ba', want: false },
    { input: '*a*a*', value: 'bab a', want: true },
    { input: '*ab*ba', value: 'aba', want: false },
    { input: 'ab*ba', value: 'aba', want: false },
    { input: '*', value: '', want: true },
    { input: '', value: '', want: true },
    { input: '', value: 'a', want: false },
    { input: '*\\**', value: 'a*b', want: true },
  ])('wildcard $input on $value', ({ input, value, want }) => {
    expect(compileWildcard(keyOctets(input), true)(keyOctets(value))).toBe(want);
  });

  it('is linear where a naive search is not', () => {
    const haystack = new Uint8Array(4_000_000).fill(0x61);
    const needle = new Uint8Array(50_000).fill(0x61);
    needle[49_999] = 0x62;
    expect(findOctets(haystack, needle)).toBe(-1);
    expect(compileWildcard(keyOctets(`${'*a'.repeat(20_000)}*b`), true)(haystack.subarray(0, 60_000))).toBe(false);
  });

  it('refuses a pattern that is none', () => {
    expect(() => compileWildcard(keyOctets('a**'), true)).toThrow(RangeError);
  });
});
