import { type ByteRegex, compileRegex } from '../syntax/regex/index.ts';
import type { Test } from './expr.ts';
import { compileWildcard, type WildcardMatcher } from './wildcard.ts';

type Matches = Extract<Test, { kind: 'matches' }>;
type Wildcard = Extract<Test, { kind: 'wildcard' }>;

/** What was made of the patterns of tests, as long as the tests live. */
const regexes = new WeakMap<Matches, ByteRegex>();
const wildcards = new WeakMap<Wildcard, WildcardMatcher>();

export function regexOf(test: Matches): ByteRegex {
  const known = regexes.get(test);
  if (known) return known;
  const regex = compileRegex(test.pattern);
  regexes.set(test, regex);
  return regex;
}

export function wildcardOf(test: Wildcard): WildcardMatcher {
  const known = wildcards.get(test);
  if (known) return known;
  const matcher = compileWildcard(test.pattern, test.strict);
  wildcards.set(test, matcher);
  return matcher;
}
