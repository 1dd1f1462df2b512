import type { Context } from './context.ts';
import { COMBINATIONS, seeComparison } from './operators.ts';

const TOKEN = /[A-Za-z0-9_.$]+|[=!<>&|^~]+|./suy;

const WORDS: readonly string[] = COMBINATIONS.flatMap(({ words }) => words);

/** A problem with what comes next, white space from `start` on skipped; `expected` is said when nothing better can be. */
export function unexpected(p: Context, start: number, expected: string): never {
  const { c, last } = p;
  c.skipSpace();
  const at = c.at;
  const token = c.look(TOKEN);
  const end = at + token.length;
  const operator = seeComparison(c);
  if (c.atEnd) c.fail(expected, at);
  if (token === '\t') c.fail('a tab is no white space here: only space, CR and LF are', at, end);
  const spaced = at === 0 || /\s/.test(c.text.charAt(at - 1));
  if ((spaced && token === '#') || c.sees('//') || c.sees('/*')) c.fail('an expression has no comments', at, at + 1);
  if (last?.end === start && operator) c.fail(last.message, at, at + operator.word.length);
  if (COMBINATIONS.some(({ words }) => words.some((word) => c.sees(word)))) {
    c.fail('here stands one comparison; several are combined inside parentheses of their own', at, end);
  }
  if (WORDS.includes(token.toLowerCase())) c.fail(`${token.toLowerCase()} is written in small letters`, at, end);
  return c.fail(`unrecognised input: ${expected}`, at, end);
}
