import type { Place } from '../yaml/source-text.ts';

/** The escapes of double-quoted scalars that stand for one character (YAML 1.2.2 section 5.7). */
const ESCAPES: { readonly [c: string]: string } = {
  '0': '\0',
  a: '\x07',
  b: '\b',
  t: '\t',
  '\t': '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  e: '\x1b',
  ' ': ' ',
  '"': '"',
  '/': '/',
  '\\': '\\',
  N: '\x85',
  _: '\xa0',
  L: '\u2028',
  P: '\u2029',
};
const DIGITS: { readonly [c: string]: number } = { x: 2, u: 4, U: 8 };

/**
 * Where characters `start` to `end` of the value of a scalar are written in its file. Quotes, escapes, indentation and folded lines are followed; the
 * whole scalar when that cannot be done.
 */
export function placeInScalar(scalar: Place, value: string, start: number, end: number): Place {
  const map = align(scalar, value);
  if (!map) return scalar;
  const from = map.starts[Math.min(start, value.length)] ?? scalar.start;
  const to = end > start ? (map.ends[Math.min(end, value.length) - 1] ?? from) : from;
  return { source: scalar.source, start: from, end: Math.max(from, to) };
}

interface Alignment {
  /** Where each character of the value is written, and one entry for the end of the value. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/** Line folding only ever changes white space: everything else stands in the file in the same order, but for escapes. */
function align(scalar: Place, value: string): Alignment | undefined {
  const text = scalar.source.text;
  const style = text[scalar.start];
  const double = style === '"';
  const single = style === "'";
  let at = scalar.start;
  if (double || single) at++;
  else if (style === '|' || style === '>') at = afterLine(text, at);
  const starts = new Uint32Array(value.length + 1);
  const ends = new Uint32Array(value.length + 1);
  for (let i = 0; i < value.length; ) {
    const wanted = value[i] ?? '';
    if (double) while (/^\\\r?\n/.test(text.slice(at, at + 3))) at = skipSpace(text, afterLine(text, at));
    if (!isSpace(wanted)) at = skipSpace(text, at);
    if (double) while (/^\\\r?\n/.test(text.slice(at, at + 3))) at = skipSpace(text, afterLine(text, at));
    let found = text[at] ?? '';
    let width = 1;
    if (double && found === '\\') {
      const letter = text[at + 1] ?? '';
      const digits = DIGITS[letter];
      found = digits === undefined ? (ESCAPES[letter] ?? '') : fromHex(text.slice(at + 2, at + 2 + digits));
      width = 2 + (digits ?? 0);
    } else if (single && found === "'") width = 2;
    if (found === '' || !value.startsWith(found, i)) {
      // A space or line break that folding made of others.
      if (!isSpace(wanted)) return undefined;
      found = wanted;
      width = 0;
    }
    for (let k = 0; k < found.length; k++, i++) {
      starts[i] = at;
      ends[i] = at + width;
    }
    at += width;
    if (at > scalar.end) return undefined;
  }
  starts[value.length] = at;
  ends[value.length] = at;
  return { starts, ends };
}

function fromHex(digits: string): string {
  const code = Number.parseInt(digits, 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : '';
}

function isSpace(c: string): boolean {
  return c === ' ' || c === '\n' || c === '\t' || c === '\r';
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (isSpace(text[at] ?? '')) at++;
  return at;
}

function afterLine(text: string, from: number): number {
  const newline = text.indexOf('\n', from);
  return newline < 0 ? text.length : newline + 1;
}
