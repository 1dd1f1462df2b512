import type { Scheme } from '../scheme/index.ts';
import type { Context } from './context.ts';
import { Cursor, ParseFailure } from './cursor.ts';
import { parseExpression } from './parse-expression.ts';
import type { SyntaxProblem, Tree } from './tree.ts';
import { unexpected } from './unexpected.ts';

/** Characters of an expression, unless `ParseOptions` says another number. */
export const MAX_LENGTH = 4096;

export interface ParseOptions {
  /** Characters (code points) that the expression may have, without the white space around it. */
  readonly maxLength?: number | undefined;
}

export type ParseResult = { readonly tree: Tree } | { readonly problem: SyntaxProblem };

/** White space around an expression, Unicode's, a tab included. */
const SPACE_BEFORE = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*/y;
const SPACE_CHARACTER = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/**
 * An expression of the filter language (docs/filter-language.md). The scheme drives it: the type of the left side says which literal is read. The types are
 * checked: the result is a Bool. Never throws for whatever text; the time is linear in its length.
 */
export function parse(text: string, scheme: Scheme, options: ParseOptions = {}): ParseResult {
  const start = spaceBefore(text);
  let end = text.length;
  while (end > start && SPACE_CHARACTER.test(text.charAt(end - 1))) end--;
  const problem = refuse(text, start, end, options.maxLength ?? MAX_LENGTH);
  return problem ? { problem } : parseAt(new Cursor(text.slice(0, end), start), scheme, text);
}

/** The same from a cursor at the first character; the cursor's text ends with the expression, `text` may go on with white space. */
export function parseAt(c: Cursor, scheme: Scheme, text: string = c.text): ParseResult {
  const start = c.at;
  const p: Context = { c, scheme, last: undefined };
  try {
    const { node, array } = parseExpression(p, 0);
    if (!c.atEnd) unexpected(p, c.at, 'expected and, or, xor or the end of the expression');
    if (array) c.fail('the expression is an Array(Bool): any(...) or all(...) makes a Bool of it', start);
    return { tree: { text, root: node, spelling: [text.slice(0, start), text.slice(c.text.length)] } };
  } catch (error) {
    if (error instanceof ParseFailure) return { problem: { ...error.problem, span: within(error.problem.span, c.text) } };
    throw error;
  }
}

function spaceBefore(text: string): number {
  SPACE_BEFORE.lastIndex = 0;
  return SPACE_BEFORE.exec(text)?.[0].length ?? 0;
}

/** What is wrong with a text before it is looked at as an expression. */
function refuse(text: string, start: number, end: number, maxLength: number): SyntaxProblem | undefined {
  if (end - start > maxLength) {
    let at = start;
    for (let count = 0; count < maxLength && at < end; count++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
    if (at < end) return { message: `an expression has at most ${maxLength} characters`, span: { start: at, end: at + 1 } };
  }
  const broken = /\p{Cs}/u.exec(text.slice(0, end));
  return broken
    ? { message: 'half of a character: the text is not Unicode', span: { start: broken.index, end: broken.index + 1 } }
    : undefined;
}

/** Spans of problems may reach behind the end by one. */
function within({ start, end }: { start: number; end: number }, text: string): { start: number; end: number } {
  return { start: Math.min(start, text.length), end: Math.min(end, text.length) };
}
