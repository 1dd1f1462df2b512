import type { Int } from '../scheme/index.ts';
import type { Cursor } from './cursor.ts';
import type { IntLiteral, SetItem } from './tree.ts';

/** Hex digits are taken whatever the radix is, so that `80and` is an error and not `80 and`. */
const DIGITS = /[0-9A-Fa-f]*/y;
const MIN = -(1n << 63n);
const MAX = (1n << 63n) - 1n;
/** Significant digits of the longest i64, octal. */
const LONGEST = 22;

const RADIX = {
  8: { digits: /^[0-7]*$/, prefix: '0o', why: 'a leading 0 means octal' },
  10: { digits: /^[0-9]*$/, prefix: '', why: 'digits and letters up to f belong to a number; put white space after it' },
  16: { digits: /^[0-9A-Fa-f]*$/, prefix: '0x', why: '' },
} as const;

/** i64: decimal, 0x hexadecimal, octal with a leading 0; `-` only before decimal digits. */
export function lexInt(c: Cursor): IntLiteral {
  const start = c.at;
  const value = toInt(c, start);
  return { kind: 'int', value, text: c.from(start), span: c.span(start) };
}

/** In a set: a number, or `a..b` without spaces. */
export function lexIntItem(c: Cursor): SetItem {
  const first = lexInt(c);
  if (!c.take('..')) return first;
  const last = lexInt(c);
  const start = first.span.start;
  if (last.value < first.value) c.fail('a range goes from the smaller to the larger value', start);
  return { kind: 'int-range', first: first.value, last: last.value, text: c.from(start), span: c.span(start) };
}

function toInt(c: Cursor, start: number): Int {
  const hex = c.take('0x');
  const radix = hex ? 16 : c.sees('0') ? 8 : 10;
  const negative = radix === 10 && c.take('-');
  const digits = c.match(DIGITS);
  if (digits === '') c.fail(hex ? 'expected hex digits after 0x' : 'expected an integer', start);
  if (!RADIX[radix].digits.test(digits)) {
    c.fail(`${c.from(start)} is not ${radix === 8 ? 'an octal' : 'a decimal'} number: ${RADIX[radix].why}`, start);
  }
  const significant = digits.replace(/^0+(?=.)/, '');
  const value = significant.length > LONGEST ? undefined : BigInt(`${RADIX[radix].prefix}${significant}`) * (negative ? -1n : 1n);
  if (value === undefined || value < MIN || value > MAX) c.fail(`an integer is from ${MIN} to ${MAX}`, start);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
