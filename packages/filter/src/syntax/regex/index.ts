import { decodeUtf8 } from '../utf8.ts';
import { type AutomatonLimits, automatonOf, type RegexAutomaton } from './automaton.ts';
import { type ByteRegex, byteRegex } from './byte-regex.ts';
import { parseRegex as parseSyntax } from './parse.ts';
import { compileProgram, type Program } from './program.ts';
import { RegexFailure, type RegexProblem } from './regex.ts';

/** Regular expressions over octets, in Rust's dialect, in linear time. */
export { type AutomatonLimits, MATCHED_ALREADY, type RegexAutomaton } from './automaton.ts';
export type { ByteRegex } from './byte-regex.ts';
export type { RegexProblem } from './regex.ts';

/**
 * Checks the syntax and the size of a regular expression. The dialect is that of Rust's `regex` crate over octets, without Unicode: `.` is any octet but LF,
 * `\w` is ASCII, a character that is not ASCII is the octets of its UTF-8, matching is unanchored.
 */
export function parseRegex(source: string): Program | RegexProblem {
  const regex = parseSyntax(source);
  if ('message' in regex) return regex;
  try {
    return compileProgram(regex);
  } catch (error) {
    if (error instanceof RegexFailure) return { ...error.problem, span: { start: 0, end: source.length } };
    throw error;
  }
}

/** A pattern as it is in a tree (octets of UTF-8), ready to be used. RangeError for what `parse` would have refused. */
export function compileRegex(pattern: Uint8Array): ByteRegex {
  return byteRegex(programOf(pattern));
}

/** The same as a table for compilers; undefined when it would be larger than the limits allow. RangeError for what `parse` would have refused. */
export function regexAutomaton(pattern: Uint8Array, limits: AutomatonLimits): RegexAutomaton | undefined {
  return automatonOf(programOf(pattern), limits);
}

function programOf(pattern: Uint8Array): Program {
  const source = decodeUtf8(pattern);
  if (source === undefined) throw new RangeError('not a regular expression: it is not UTF-8');
  const program = parseRegex(source);
  if ('message' in program) throw new RangeError(`not a regular expression: ${program.message}`);
  return program;
}
