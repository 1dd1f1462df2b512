import { type ByteSet, negate, PERL, setOf } from './byte-set.ts';
import type { Assertion } from './regex.ts';
import type { Source } from './source.ts';

export type Escape =
  | { readonly kind: 'octet'; readonly octet: number }
  | { readonly kind: 'char'; readonly char: string }
  | { readonly kind: 'set'; readonly set: ByteSet }
  | { readonly kind: 'assertion'; readonly assertion: Assertion };

const CONTROL: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };
const ASSERTIONS: Readonly<Record<string, Assertion>> = {
  A: 'text-start',
  z: 'text-end',
  b: 'word',
  B: 'not-word',
  '<': 'word-start',
  '>': 'word-end',
};
const BOUNDARIES: Readonly<Record<string, Assertion>> = {
  start: 'word-start',
  end: 'word-end',
  'start-half': 'word-start-half',
  'end-half': 'word-end-half',
};
const HEX = { x: 2, u: 4, U: 8 } as const;
const BRACED = /\{[^}]*\}/y;
const BOUNDARY = /\{[A-Za-z-]+\}/y;

/** What follows a backslash, which has been taken. */
export function parseEscape(s: Source): Escape {
  const start = s.at - 1;
  const char = s.next();
  if (char === '') s.fail('nothing follows the backslash', start);
  if (/[0-9]/.test(char)) s.fail('there are no back references', start);
  if (char === 'p' || char === 'P') s.fail('classes of Unicode characters are not supported: a packet is octets', start);
  if (char === 'x' || char === 'u' || char === 'U') return hex(s, char, start);
  const perl = PERL.get(char.toLowerCase());
  if (perl) return { kind: 'set', set: char === char.toLowerCase() ? perl : negate(perl) };
  const control = CONTROL[char];
  if (control !== undefined) return { kind: 'octet', octet: control };
  if (char === 'b') {
    const name = s.match(BOUNDARY);
    const boundary = BOUNDARIES[name.slice(1, -1)];
    if (name !== '' && !boundary) s.fail(`there is no boundary ${name}`, start);
    return { kind: 'assertion', assertion: boundary ?? 'word' };
  }
  const assertion = ASSERTIONS[char];
  if (assertion) return { kind: 'assertion', assertion };
  if (/[A-Za-z]|[^\0-\x7f]/u.test(char)) s.fail(`\\${char} means nothing`, start);
  return { kind: 'char', char };
}

/** `\xHH` is an octet; `\x{..}`, `\uHHHH`, `\UHHHHHHHH` are characters. */
function hex(s: Source, letter: 'x' | 'u' | 'U', start: number): Escape {
  s.skipIgnored();
  const braced = s.sees('{');
  const digits = braced ? s.match(BRACED).slice(1, -1) : s.text.slice(s.at, s.at + HEX[letter]);
  if (!/^[0-9A-Fa-f]+$/.test(digits) || (!braced && digits.length < HEX[letter])) {
    s.fail(`expected ${HEX[letter]} hex digits, or some in { }`, start);
  }
  if (!braced) s.at += digits.length;
  const code = Number.parseInt(digits, 16);
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) s.fail('is not the number of a character', start);
  return letter === 'x' && !braced ? { kind: 'octet', octet: code } : { kind: 'char', char: String.fromCodePoint(code) };
}

/** As a member of [ ]: one octet, or a set. */
export function escapeInClass(s: Source, escaped: Escape, start: number): number | ByteSet {
  switch (escaped.kind) {
    case 'octet':
      return escaped.octet;
    case 'char':
      return classOctet(s, escaped.char, start);
    case 'set':
      return escaped.set;
    case 'assertion':
      return s.fail('stands for a place, not for a character', start);
  }
}

/** The octet of a character inside [ ], which is ASCII: more than one octet has no place there. */
export function classOctet(s: Source, char: string, start: number): number {
  const code = char.codePointAt(0) ?? 0;
  return code < 128 ? code : s.fail('only ASCII characters stand inside [ ]: a class is of octets', start);
}

export function single(octet: number): ByteSet {
  return setOf([octet, octet]);
}
