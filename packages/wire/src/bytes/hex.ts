import { DecodeError } from './error.ts';

const DIGITS = '0123456789abcdef';

/** Lower-case hex, two digits a byte, no separators. */
export function printHex(bytes: Uint8Array): string {
  let out = '';
  for (const b of bytes) out += DIGITS.charAt(b >> 4) + DIGITS.charAt(b & 15);
  return out;
}

/** Hex digits in pairs; white space, `:` and `-` between pairs are skipped. Throws DecodeError at the first other character. */
export function parseHex(text: string): Uint8Array {
  const out = new Uint8Array(text.length >> 1);
  let n = 0;
  for (let i = 0; i < text.length; ) {
    const c = text.charCodeAt(i);
    if (c === 0x20 || c === 0x3a || c === 0x2d || c === 0x09 || c === 0x0a || c === 0x0d) {
      i++;
      continue;
    }
    const hi = nibble(c);
    const lo = i + 1 < text.length ? nibble(text.charCodeAt(i + 1)) : -1;
    if (hi < 0 || lo < 0) throw new DecodeError(`not a pair of hex digits at column ${i + 1}`, i, 'hex');
    out[n++] = (hi << 4) | lo;
    i += 2;
  }
  return out.slice(0, n);
}

function nibble(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  const lower = c | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
