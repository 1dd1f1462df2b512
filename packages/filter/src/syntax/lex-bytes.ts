import type { Cursor } from './cursor.ts';
import type { BytesLiteral } from './tree.ts';

const PLAIN = /[^"\\]+/y;
const HEX_PAIR = /[0-9A-Fa-f]{2}/y;
const OCTAL = /[0-7]{3}/y;
const SEPARATOR = /[:.-]/y;
const HASHES = /#*/y;
const MAX_HASHES = 4;

const encoder = new TextEncoder();

/** A string, a raw string, or two or more pairs of hex digits with : - . between them. */
export function lexBytes(c: Cursor): BytesLiteral {
  return seesString(c) ? lexString(c) : lexHexPairs(c);
}

function seesString(c: Cursor): boolean {
  return c.sees('"') || c.sees('r');
}

/** `"..."`, or `r"..."` with up to four # around it. */
export function lexString(c: Cursor): BytesLiteral {
  const start = c.at;
  if (c.sees('r')) {
    const value = encoder.encode(lexRaw(c));
    return { kind: 'bytes', value, form: 'raw', text: c.from(start), span: c.span(start) };
  }
  if (!c.take('"')) c.fail('expected a string: "..." or r"..."');
  const octets: number[] = [];
  for (;;) {
    for (const octet of encoder.encode(c.match(PLAIN))) octets.push(octet);
    if (c.take('"')) break;
    if (c.atEnd) c.fail('this string has no end', start);
    octets.push(lexEscape(c));
  }
  return { kind: 'bytes', value: Uint8Array.from(octets), form: 'string', text: c.from(start), span: c.span(start) };
}

/** The inside of a raw string, from the `r` on. */
export function lexRaw(c: Cursor): string {
  const start = c.at;
  c.take('r');
  const hashes = c.match(HASHES);
  if (hashes.length > MAX_HASHES) c.fail('a raw string has at most four # on each side', start);
  if (!c.take('"')) c.fail('expected " or # after r', c.at, c.at + 1);
  const inside = c.through(`"${hashes}`);
  if (inside === undefined) c.fail(`this raw string has no end (it ends with "${hashes})`, start, c.text.length);
  return inside;
}

function lexEscape(c: Cursor): number {
  const start = c.at;
  c.take('\\');
  if (c.take('"')) return 0x22;
  if (c.take('\\')) return 0x5c;
  const hex = c.take('x');
  const digits = c.match(hex ? HEX_PAIR : OCTAL);
  const value = digits === '' ? undefined : Number.parseInt(digits, hex ? 16 : 8);
  if (value !== undefined && value < 256) return value;
  if (value !== undefined) return c.fail('an octet is at most \\377', start);
  return c.fail('after \\ there is ", \\, xHH or OOO (two hex or three octal digits)', start, Math.min(c.at + 1, c.text.length));
}

function lexHexPairs(c: Cursor): BytesLiteral {
  const start = c.at;
  const octets = [hexPair(c, 'expected a string, or pairs of hex digits such as 01:2e')];
  if (c.match(SEPARATOR) === '') c.fail('octets are two or more pairs of hex digits with : - or . between them', start);
  do octets.push(hexPair(c, 'expected two hex digits'));
  while (c.match(SEPARATOR) !== '');
  return { kind: 'bytes', value: Uint8Array.from(octets), form: 'hex', text: c.from(start), span: c.span(start) };
}

function hexPair(c: Cursor, expected: string): number {
  const digits = c.match(HEX_PAIR);
  if (digits === '') c.fail(expected, c.at, c.at + 1);
  return Number.parseInt(digits, 16);
}
