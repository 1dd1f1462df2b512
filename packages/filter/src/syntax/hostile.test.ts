import { describe, expect, it } from 'vitest';
import { PACKET_SCHEME } from '../scheme/index.ts';
import { Cursor } from './cursor.ts';
import { MAX_LENGTH, parse, parseAt } from './parse.ts';
import { printProblem } from './problem.ts';
import { RECORDS } from './test-scheme.ts';

/** `what` again and again to a length, between a beginning and an end. */
const full = (length: number, what: string, before = '', after = ''): string =>
  before + what.repeat(Math.ceil(length / what.length)).slice(0, length - before.length - after.length) + after;

const rows: readonly { name: string; text: (length: number) => string }[] = [
  { name: 'parentheses', text: (n) => full(n, '(') },
  { name: 'parentheses and spaces', text: (n) => full(n, '(   ') },
  { name: 'spaces', text: (n) => full(n, ' ', 'ssl', 'x') },
  { name: 'spaces in deep parentheses', text: (n) => full(n, ' ', '('.repeat(100)) },
  { name: 'spaces at every closing parenthesis', text: (n) => full(n, `${' '.repeat((n - 210) / 100)})`, `${'('.repeat(100)}ssl`) },
  { name: 'not', text: (n) => full(n, 'not ') },
  { name: 'a chain', text: (n) => full(n, 'ssl or ', '', ' ssl') },
  { name: 'chains of every operator', text: (n) => full(n, 'ssl or ssl and ssl xor ') },
  { name: 'spaces before every operator', text: (n) => full(n, `ssl${' '.repeat(60)}and `) },
  { name: 'any', text: (n) => full(n, 'any(') },
  { name: 'calls', text: (n) => full(n, 'lower(') },
  { name: 'indexes', text: (n) => full(n, '[0]', 'cookies') },
  { name: 'each', text: (n) => full(n, '[*]', 'labels') },
  { name: 'an identifier', text: (n) => full(n, 'a') },
  { name: 'an identifier with dots', text: (n) => full(n, 'a.') },
  { name: 'arguments that begin like hex', text: (n) => full(n, 'aa.bb.', 'starts_with(host, ') },
  { name: 'a string', text: (n) => full(n, 'a', 'host == "') },
  { name: 'escapes', text: (n) => full(n, '\\x00', 'host == "') },
  { name: 'backslashes', text: (n) => full(n, '\\\\', 'host == "') },
  { name: 'a raw string', text: (n) => full(n, '"###', 'host == r####"') },
  { name: 'hashes', text: (n) => full(n, '#', 'host == r') },
  { name: 'hex pairs', text: (n) => full(n, 'aa:', 'host == ') },
  { name: 'hex pairs in a set', text: (n) => full(n, 'aa:bb', 'host in {') },
  { name: 'strings in a set', text: (n) => full(n, '""', 'host in {', '}') },
  { name: 'integers in a set', text: (n) => full(n, '1 ', 'port in {', '}') },
  { name: 'digits', text: (n) => full(n, '9', 'port == ') },
  { name: 'hex digits', text: (n) => full(n, 'f', 'port == 0x') },
  { name: 'zeros', text: (n) => full(n, '0', 'port == ') },
  { name: 'digits of an address', text: (n) => full(n, '1a', 'addr == ') },
  { name: 'colons', text: (n) => full(n, ':', 'addr in {') },
  { name: 'dots', text: (n) => full(n, '1..', 'addr in {') },
  { name: 'a list name', text: (n) => full(n, 'a.', 'port in $') },
  { name: 'a regular expression', text: (n) => full(n, '[', 'host ~ "') },
  { name: 'quotes in a class', text: (n) => full(n, '"', 'host ~ "[') },
  { name: 'stars of a wildcard', text: (n) => full(n, 'a*', 'host wildcard "', '"') },
];

describe('the time is linear in the length', () => {
  it.each(rows)('$name', ({ text }) => {
    const steps = (length: number): number => {
      const c = new Cursor(text(length));
      expect(c.text.length).toBe(length);
      parseAt(c, RECORDS);
      return c.steps;
    };
    const [half, whole] = [steps(MAX_LENGTH / 2), steps(MAX_LENGTH)];
    expect(whole).toBeLessThan(60 * MAX_LENGTH);
    // A text twice as long takes at most a little more than twice the steps.
    expect(whole).toBeLessThan(2.2 * half + 2000);
  });
});

describe('limits', () => {
  it('characters are counted, not code units, and not the white space around', () => {
    const characters = MAX_LENGTH - 'host == ""'.length;
    const text = ` host == "${'\u{1f600}'.repeat(characters)}"\n`;
    expect('tree' in parse(text, RECORDS)).toBe(true);
    const longer = parse(` host == "${'\u{1f600}'.repeat(characters + 1)}"\n`, RECORDS);
    expect('problem' in longer && longer.problem.message).toBe('an expression has at most 4096 characters');
  });

  it('another limit', () => {
    expect('tree' in parse('sip and sip', PACKET_SCHEME, { maxLength: 11 })).toBe(true);
    const result = parse('sip and sip', PACKET_SCHEME, { maxLength: 10 });
    expect('problem' in result && printProblem('sip and sip', result.problem)).toBe(
      'Filter parsing error (1:11):\nsip and sip\n          ^ an expression has at most 10 characters',
    );
  });

  it('a name without sense is not looked for among the fields', () => {
    const result = parse('a'.repeat(4000), PACKET_SCHEME);
    expect('problem' in result && result.problem.message.length).toBe('unknown identifier '.length + 4000);
  });
});
