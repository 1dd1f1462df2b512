import type { SyntaxProblem } from './tree.ts';

const encoder = new TextEncoder();

/** Line and column of an offset, from 1; columns count octets of UTF-8. */
export function position(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: octets(before.slice(lineStart)) + 1 };
}

/**
 * As the original engine prints it: `Filter parsing error (line:column):`, the line, carets under the span, the message; without a line end after it. Columns and
 * carets count octets. Of a span over several lines the first is shown. Control characters are shown as pictures of themselves, so that it is safe on a terminal.
 */
export function printProblem(text: string, problem: SyntaxProblem): string {
  const { start, end } = problem.span;
  const { line, column } = position(text, start);
  const lineStart = text.slice(0, start).lastIndexOf('\n') + 1;
  const next = text.indexOf('\n', start);
  const lineEnd = next < 0 ? text.length : next;
  const shown = text.slice(lineStart, lineEnd).replace(/\r$/, '');
  const carets = Math.max(1, octets(text.slice(start, Math.min(end, lineEnd))));
  return `Filter parsing error (${line}:${column}):\n${safe(shown)}\n${' '.repeat(column - 1)}${'^'.repeat(carets)} ${safe(problem.message)}`;
}

function octets(text: string): number {
  return encoder.encode(text).length;
}

function safe(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (c) => {
    const code = c.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '\u2421' : '\ufffd';
  });
}
