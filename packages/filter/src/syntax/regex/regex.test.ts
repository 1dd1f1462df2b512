import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRegex, MATCHED_ALREADY, parseRegex, regexAutomaton } from './index.ts';

const encoder = new TextEncoder();
const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const matches = (pattern: string, octets: Uint8Array): boolean => compileRegex(encoder.encode(pattern)).test(octets);

describe('what matches', () => {
  it.each([
    // Each row: pattern, texts (Latin-1) that match, texts that do not.
    { pattern: '', yes: ['', 'a'], no: [] },
    { pattern: 'b', yes: ['abc'], no: ['', 'ac'] },
    { pattern: '^a', yes: ['ab'], no: ['ba', 'b\na'] },
    { pattern: 'a$', yes: ['ba'], no: ['ab', 'a\n'] },
    { pattern: '\\Aa\\z', yes: ['a'], no: ['aa', 'a\n'] },
    { pattern: '(?m)^a$', yes: ['b\na\nc', 'a'], no: ['ba', 'a\r\n'] },
    { pattern: '(?Rm)^a$', yes: ['b\r\na\r\nc', 'b\ra'], no: ['ba'] },
    { pattern: '(?Rm)\\r$', yes: ['\r'], no: ['\r\n'] },
    { pattern: '(?Rm)^\\n', yes: ['\n'], no: ['\r\n'] },
    { pattern: 'a.c', yes: ['abc', 'a\r' + 'c', 'a\xffc', 'a\0c'], no: ['a\nc', 'ac'] },
    { pattern: '(?s)a.c', yes: ['a\nc'], no: ['ac'] },
    { pattern: '(?R)a.c', yes: ['abc'], no: ['a\nc', 'a\rc'] },
    { pattern: 'a|bc|', yes: ['', 'x'], no: [] },
    { pattern: '^(a|bc)$', yes: ['a', 'bc'], no: ['', 'abc'] },
    { pattern: '^ab*c+d?$', yes: ['ac', 'abbccd'], no: ['ad', 'ab'] },
    { pattern: '^a{2}$', yes: ['aa'], no: ['a', 'aaa'] },
    { pattern: '^a{2,}$', yes: ['aa', 'aaaa'], no: ['a'] },
    { pattern: '^a{1,3}$', yes: ['a', 'aaa'], no: ['', 'aaaa'] },
    { pattern: '^a{,2}$', yes: ['', 'aa'], no: ['aaa'] },
    { pattern: '^(?:a{0})b$', yes: ['b'], no: ['ab'] },
    { pattern: '^a+?b*?$', yes: ['aab'], no: ['b'] },
    { pattern: '^a**$', yes: ['', 'aaa'], no: ['b'] },
    { pattern: '^(a?){3}$', yes: ['', 'aaa'], no: ['aaaa'] },
    { pattern: '^(a+)?$', yes: ['', 'aaa'], no: ['b'] },
    { pattern: '^[a-c]$', yes: ['a', 'b', 'c'], no: ['d', '-'] },
    { pattern: '^[^a-c]$', yes: ['d', '\n', '\xff'], no: ['a', ''] },
    { pattern: '^[-a]$', yes: ['-', 'a'], no: ['b'] },
    { pattern: '^[a-]$', yes: ['-', 'a'], no: ['b'] },
    { pattern: '^[]a]$', yes: [']', 'a'], no: ['b'] },
    { pattern: '^[^]a]$', yes: ['b'], no: [']', 'a'] },
    { pattern: '^[a[bc]]$', yes: ['a', 'c'], no: ['['] },
    { pattern: '^[a-y&&[^b]]$', yes: ['a', 'y'], no: ['b', 'z'] },
    { pattern: '^[0-9--4]$', yes: ['3', '5'], no: ['4', '-'] },
    { pattern: '^[a-g~~b-h]$', yes: ['a', 'h'], no: ['b', 'g'] },
    { pattern: '^[a-c&&b-d&&b]$', yes: ['b'], no: ['a', 'c'] },
    { pattern: '[a&&b]', yes: [], no: ['a', 'b', ''] },
    { pattern: '^[[:alpha:]_[:^ascii:]]$', yes: ['x', '_', '\xe9'], no: ['1'] },
    { pattern: '^[[:foo:]]$', yes: [':', 'f'], no: ['x', '['] },
    { pattern: '^[\\d\\-\\]]$', yes: ['7', '-', ']'], no: ['a'] },
    { pattern: '^\\d\\D\\s\\S\\w\\W$', yes: ['1a x_-'], no: ['1a xx_', '\xb2a x_-'] },
    { pattern: '^[\\x80-\\xff]$', yes: ['\x80', '\xff'], no: ['\x7f'] },
    { pattern: '^\\xff\\x{41}\\u0042\\U00000043$', yes: ['\xffABC'], no: [] },
    { pattern: '^\\x{e9}$', yes: ['\xc3\xa9'], no: ['\xe9'] },
    { pattern: '^é+$', yes: ['\xc3\xa9\xc3\xa9'], no: ['\xc3', '\xc3\xa9\xa9'] },
    { pattern: '^\\a\\f\\t\\n\\r\\v$', yes: ['\x07\f\t\n\r\v'], no: [] },
    { pattern: '^\\.\\*\\[\\]\\{\\}\\/\\"\\#\\-\\&\\~$', yes: ['.*[]{}/"#-&~'], no: [] },
    { pattern: ']}', yes: [']}'], no: [']'] },
    { pattern: '\\bfoo\\b', yes: ['a foo b', 'foo'], no: ['afoo', 'foo_'] },
    { pattern: '\\Boo\\B', yes: ['fooo'], no: ['oo', 'foo'] },
    { pattern: '\\<foo\\>', yes: ['a foo b'], no: ['afoo'] },
    { pattern: '\\b{start}o\\b{end}', yes: ['o'], no: ['oo'] },
    { pattern: '\\b{start-half}o', yes: ['-o'], no: ['ao'] },
    { pattern: '^\\b{2}a', yes: ['a'], no: ['-'] },
    { pattern: '(?i)aB[c-d]', yes: ['Abc', 'aBD'], no: ['abe'] },
    { pattern: '(?i)[^a]', yes: ['b'], no: ['a', 'A'] },
    { pattern: '(?i)é', yes: ['\xc3\xa9'], no: ['\xc3\x89'] },
    { pattern: '^a(?i)b|c$', yes: ['aB', 'C'], no: ['AB'] },
    { pattern: '^(?i:a)b(?-i)c$', yes: ['Abc'], no: ['ABc'] },
    { pattern: '^(?:(?i)a)b$', yes: ['Ab'], no: ['AB'] },
    { pattern: '(?x) a b # a comment\n c [ d e ]', yes: ['abcd', 'abce'], no: ['abc '] },
    { pattern: '(?x) a {2} \\ b', yes: ['aa b'], no: ['a b', 'aab'] },
    { pattern: '^(?P<x>a)(?<y>b)$', yes: ['ab'], no: ['ba'] },
    { pattern: '(?-u)(?U)a+', yes: ['a'], no: [''] },
    { pattern: '^(?:a|a?)*b$', yes: ['b', 'aab'], no: ['aac'] },
  ])('$pattern', ({ pattern, yes, no }) => {
    for (const text of yes) expect([text, matches(pattern, latin1(text))]).toEqual([text, true]);
    for (const text of no) expect([text, matches(pattern, latin1(text))]).toEqual([text, false]);
  });
});

describe('what is refused', () => {
  it.each([
    { pattern: '(', want: 'this ( is not closed' },
    { pattern: 'a)', want: 'this ) closes nothing' },
    { pattern: '[a', want: 'this [ is not closed' },
    { pattern: '[a-', want: 'this range has no end' },
    { pattern: '[]', want: 'this [ is not closed' },
    { pattern: '[b-a]', want: 'a range goes from the smaller to the larger character' },
    { pattern: '[\\d-z]', want: 'a range is between two single characters' },
    { pattern: '[\\b]', want: 'stands for a place, not for a character' },
    { pattern: '[é]', want: 'only ASCII characters stand inside [ ]: a class is of octets' },
    { pattern: '*a', want: 'there is nothing to repeat' },
    { pattern: 'a|*', want: 'there is nothing to repeat' },
    { pattern: '(+)', want: 'there is nothing to repeat' },
    { pattern: 'a(?i)*', want: 'there is nothing to repeat' },
    { pattern: '(?)', want: 'there is nothing to repeat' },
    { pattern: 'a{', want: 'expected {n}, {n,} or {n,m}; a { by itself is written \\{' },
    { pattern: 'a{x}', want: 'expected {n}, {n,} or {n,m}; a { by itself is written \\{' },
    { pattern: 'a{2,1}', want: 'a count goes from the smaller to the larger' },
    { pattern: 'a{100001}', want: 'a count is at most 100000' },
    { pattern: 'a{99999999999}', want: 'a count is at most 100000' },
    { pattern: `a${'{1}'.repeat(65)}`, want: 'at most 64 counts follow each other' },
    { pattern: '\\', want: 'nothing follows the backslash' },
    { pattern: '\\1', want: 'there are no back references' },
    { pattern: '\\0', want: 'there are no back references' },
    { pattern: '\\q', want: '\\q means nothing' },
    { pattern: '\\Z', want: '\\Z means nothing' },
    { pattern: '\\é', want: '\\é means nothing' },
    { pattern: '\\xg0', want: 'expected 2 hex digits, or some in { }' },
    { pattern: '\\u12', want: 'expected 4 hex digits, or some in { }' },
    { pattern: '\\x{}', want: 'expected 2 hex digits, or some in { }' },
    { pattern: '\\x{110000}', want: 'is not the number of a character' },
    { pattern: '\\ud800', want: 'is not the number of a character' },
    { pattern: '\\pL', want: 'classes of Unicode characters are not supported: a packet is octets' },
    { pattern: '(?u)a', want: '(?u) is not supported: a packet is octets' },
    { pattern: '(?=a)', want: 'there is no look-around' },
    { pattern: '(?<!a)', want: 'there is no look-around' },
    { pattern: '(?P=a)', want: 'expected <name> after (?P' },
    { pattern: '(?<1>a)', want: 'expected the name of a group' },
    { pattern: '(?<a>)(?P<a>)', want: 'there are two groups <a>' },
    { pattern: '(?q)', want: 'there is no flag q' },
    { pattern: '(?ii)', want: 'a flag is there twice' },
    { pattern: '(?i-)', want: 'flags are (?on-off)' },
    { pattern: '\\b{middle}', want: 'there is no boundary {middle}' },
    { pattern: '(a{1000}){1000}', want: 'is too large: it has more than 10000 states' },
    { pattern: '((){100000}){100000}', want: 'is too large: it has more than 40000 pieces' },
    { pattern: '('.repeat(129) + ')'.repeat(129), want: 'groups and brackets nest at most 128 deep' },
    { pattern: '['.repeat(129), want: 'groups and brackets nest at most 128 deep' },
  ])('$pattern', ({ pattern, want }) => {
    const result = parseRegex(pattern);
    expect('message' in result ? result.message : 'accepted').toBe(want);
    expect(() => compileRegex(encoder.encode(pattern))).toThrow(RangeError);
  });
});

/** What JavaScript and Rust mean the same by, over characters below 128. */
const patterns: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('a', 'b', 'c', '.', '[ab]', '[^a]', '\\w', '\\d', '^', '$', '\\b', '\\B', '1', '\\n', '(?:)'),
    fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((items) => items.join('')),
    fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((items) => `(?:${items.join('|')})`),
    fc.tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{0,1}', '*?')).map(([of, times]) => `(?:${of})${times}`),
  ),
})).node;

describe('against another engine', () => {
  it('matches where it does', () => {
    fc.assert(
      fc.property(
        patterns,
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', ' ', '\n'), maxLength: 8 }), { maxLength: 6 }),
        (pattern, texts) => {
          // `.` is every octet but LF here, and `$` only the end.
          const other = new RegExp(pattern.replaceAll('.', '[^\\n]'));
          const own = compileRegex(encoder.encode(pattern));
          for (const text of texts) expect([text, own.test(latin1(text))]).toEqual([text, other.test(text)]);
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe('patterns that make other engines slow', () => {
  it.each(['(a|a)*b', '(a*)*b', '(a|a?){500}b', '(x+x+)+y', '([ab]*a[ab]{200})*c', '(?:a?){1000}a{1000}$'])('%s', (pattern) => {
    // Exponential, or a power of the length, where it is tried by going back; here it ends.
    expect(matches(pattern, latin1('a'.repeat(400) + 'x'.repeat(100)))).toBe(false);
  });

  it('a cache that is emptied on the way changes nothing', () => {
    const pattern = '^[ab]*a[ab]{14}$';
    const own = compileRegex(encoder.encode(pattern));
    let state = 1;
    const letter = (): string => {
      state = (state * 48271) % 2147483647;
      return state % 2 === 0 ? 'a' : 'b';
    };
    const text = Array.from({ length: 20_000 }, letter).join('');
    for (const end of [19_990, 19_991, 20_000]) expect(own.test(latin1(text.slice(0, end)))).toBe(text[end - 15] === 'a');
  });
});

describe('as a table for compilers', () => {
  const LIMITS = { states: 1000, steps: 1_000_000 };

  const walk = (pattern: string, text: string, limits = LIMITS): boolean | undefined => {
    const made = regexAutomaton(encoder.encode(pattern), limits);
    if (!made) return undefined;
    let state = 0;
    for (const octet of latin1(text)) {
      if (state === MATCHED_ALREADY) break;
      state = made.next[state * made.classes + (made.classOf[octet] ?? 0)] ?? 0;
    }
    return state === MATCHED_ALREADY || made.accepts[state] === 1;
  };

  it.each(['a', 'a+b', '^a|b$', '(?m)^a$', '(?mR)a$', '\\bab', 'a\\B', '(?i)aB', '', '[^a]b', 'a{2,3}'])(
    'says the same of everything: %s',
    (pattern) => {
      const own = compileRegex(encoder.encode(pattern));
      fc.assert(
        fc.property(fc.string({ unit: fc.constantFrom('a', 'b', 'B', ' ', '\r', '\n'), maxLength: 8 }), (text) => {
          expect(walk(pattern, text)).toBe(own.test(latin1(text)));
        }),
        { numRuns: 300 },
      );
    },
  );

  it.each([
    { name: 'states', pattern: 'a[ab]{12}$', limits: LIMITS },
    { name: 'steps', pattern: '(?:a?){1000}b', limits: { states: 1000, steps: 5000 } },
  ])('has an end: $name', ({ pattern, limits }) => {
    expect(walk(pattern, 'a', limits)).toBeUndefined();
  });
});
