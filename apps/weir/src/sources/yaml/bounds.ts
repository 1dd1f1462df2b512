import { Lexer } from 'yaml';
import type { Code } from './codes.ts';

/** Bounds of one file, looked at before it is parsed: what parsing and telling of mistakes cost grows with these. */
export const MAX_LINE = 16_384;
export const MAX_TOKENS = 200_000;
export const MAX_ALIASES = 1000;
/** Brackets within brackets, and list markers on one line. Where the tree ends is `MAX_DEPTH`; this is what the parser is given at all. */
export const MAX_OPEN = 500;
/** Values that a file may have after its aliases are followed, and how deep they may nest. */
export const MAX_VALUES = 200_000;
export const MAX_DEPTH = 32;

/** The bounds that differ between kinds of files. */
export interface TreeBounds {
  /** Words and signs. */
  readonly tokens: number;
  readonly values: number;
}

export const SMALL_TREE: TreeBounds = { tokens: MAX_TOKENS, values: MAX_VALUES };

/** Where a text first exceeds a bound, in UTF-16 offsets. */
export interface Excess {
  readonly code: Code;
  readonly start: number;
  readonly end: number;
  readonly message: string;
}

/** The first place where a text exceeds a bound; undefined when it may be parsed. Costs at most `maxTokens` tokens. */
export function findExcess(text: string, maxTokens: number = MAX_TOKENS): Excess | undefined {
  return findLongLine(text) ?? findExcessToken(text, maxTokens);
}

function findLongLine(text: string): Excess | undefined {
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    if (end - start > MAX_LINE) {
      return { code: 'E031', start: start + MAX_LINE, end: start + MAX_LINE + 1, message: `a line of more than ${MAX_LINE} characters` };
    }
    start = end + 1;
  }
  return undefined;
}

function findExcessToken(text: string, maxTokens: number): Excess | undefined {
  let at = 0;
  let tokens = 0;
  let aliases = 0;
  let brackets = 0;
  let markers = 0;
  for (const token of new Lexer().lex(text)) {
    // Marks of the lexer that are not in the text: the next scalar, the start of a document, an error.
    if (token === '\u001f' || token === '\u0002' || token === '\u0018') continue;
    const excess = (message: string): Excess => ({ code: 'E004', start: at, end: at + Math.max(1, token.length), message });
    if (++tokens > maxTokens) return excess(`more than ${maxTokens} words and signs`);
    switch (token[0]) {
      case '*':
        if (++aliases > MAX_ALIASES) return excess(`more than ${MAX_ALIASES} aliases`);
        break;
      case '[':
      case '{':
        if (++brackets > MAX_OPEN) return excess(`nested deeper than ${MAX_OPEN} levels`);
        break;
      case ']':
      case '}':
        if (brackets > 0) brackets--;
        break;
      case '-':
      case '?':
      case ':':
        if (token.length === 1 && ++markers > MAX_OPEN && brackets === 0) return excess(`nested deeper than ${MAX_OPEN} levels`);
        break;
      case '\n':
      case '\r':
        markers = 0;
        break;
    }
    at += token.length;
  }
  return undefined;
}
