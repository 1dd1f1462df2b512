import type { Cursor } from './cursor.ts';
import { lexRaw, lexString } from './lex-bytes.ts';
import { parseRegex } from './regex/index.ts';
import type { BytesLiteral } from './tree.ts';
import { parseWildcard } from './wildcard.ts';

const REGEX_PLAIN = /[^"\\[\]]+/y;
const ANY = /./suy;

const encoder = new TextEncoder();

/**
 * A regular expression: a raw string, or a string with rules of its own. Every escape is the regular expression's, but `\"` outside of [ ], which is a
 * quote; inside of [ ] a quote is itself and ends nothing.
 */
export function lexRegex(c: Cursor): BytesLiteral {
  const start = c.at;
  const raw = c.sees('r');
  if (!raw && !c.sees('"')) c.fail('expected a regular expression: "..." or r"..."', start, start + 1);
  const { source, offsets } = raw ? rawRegex(c) : quotedRegex(c, start);
  const text = c.from(start);
  const result = parseRegex(source);
  if ('message' in result) {
    const at = (offset: number): number => offsets[offset] ?? c.at - 1;
    c.fail(`regular expression: ${result.message}`, at(result.span.start), Math.max(at(result.span.start) + 1, at(result.span.end)));
  }
  return { kind: 'bytes', value: encoder.encode(source), form: raw ? 'raw' : 'string', text, span: c.span(start) };
}

/** `offsets`: where in the text each character of the source stands. */
interface Source {
  readonly source: string;
  readonly offsets: readonly number[];
}

function rawRegex(c: Cursor): Source {
  const start = c.at;
  const source = lexRaw(c);
  const first = c.text.indexOf('"', start) + 1;
  return { source, offsets: Array.from({ length: source.length }, (_, i) => first + i) };
}

function quotedRegex(c: Cursor, start: number): Source {
  let source = '';
  const offsets: number[] = [];
  const keep = (text: string): void => {
    for (let i = 0; i < text.length; i++) offsets.push(c.at - text.length + i);
    source += text;
  };
  let inClass = false;
  c.take('"');
  for (;;) {
    keep(c.match(REGEX_PLAIN));
    if (c.atEnd) c.fail('this regular expression has no end', start);
    if (c.take('\\')) {
      const escaped = c.match(ANY);
      if (!inClass && escaped === '"') keep(escaped);
      else keep(`\\${escaped}`);
    } else if (c.take('"')) {
      if (!inClass) return { source, offsets };
      keep('"');
    } else {
      const bracket = c.match(ANY);
      inClass = bracket === '[' || (inClass && bracket !== ']');
      keep(bracket);
    }
  }
}

/** A wildcard pattern in a string or a raw string. */
export function lexWildcard(c: Cursor): BytesLiteral {
  const start = c.at;
  if (!c.sees('"') && !c.sees('r')) c.fail('expected a wildcard pattern: "..." or r"..."', start, start + 1);
  const literal = lexString(c);
  const result = parseWildcard(literal.value);
  if ('message' in result) c.fail(result.message, start);
  return literal;
}
