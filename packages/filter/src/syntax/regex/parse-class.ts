import { type ByteSet, combine, emptySet, foldCase, negate, POSIX, setOf, union } from './byte-set.ts';
import { classOctet, escapeInClass, parseEscape, single } from './escape.ts';
import type { Source } from './source.ts';

const NAMED = /\[:\^?[a-z]+:\]/y;
const OPERATIONS = ['&&', '--', '~~'] as const;

/** A class from its `[` on: ranges, escapes, classes inside it, `[:alpha:]`, and `&&`, `--`, `~~` from left to right. */
export function parseClass(s: Source): ByteSet {
  const start = s.at;
  s.take('[');
  return s.nested(() => {
    s.skipIgnored();
    const negated = s.take('^');
    s.skipIgnored();
    let left: ByteSet | undefined;
    let op: (typeof OPERATIONS)[number] | undefined;
    let members = emptySet();
    // At the beginning - and ] are themselves.
    let any = false;
    while (s.take('-')) {
      members = union(members, single(0x2d));
      any = true;
      s.skipIgnored();
    }
    if (!any && s.take(']')) members = union(members, single(0x5d));
    for (;;) {
      s.skipIgnored();
      if (s.atEnd) s.fail('this [ is not closed', start, start + 1);
      const next = OPERATIONS.find((operation) => s.sees(operation));
      if (next || s.sees(']')) {
        const folded = s.flags.caseless ? foldCase(members) : members;
        left = left && op ? combine(op, left, folded) : folded;
        if (s.take(']')) return negated ? negate(left) : left;
        op = next;
        s.at += 2;
        members = emptySet();
      } else members = union(members, s.sees('[') ? inner(s) : range(s));
    }
  });
}

function inner(s: Source): ByteSet {
  const start = s.at;
  const named = s.match(NAMED);
  if (named === '') return parseClass(s);
  const set = POSIX.get(named.replace(/[^a-z]/g, ''));
  if (set) return named.includes('^') ? negate(set) : set;
  s.at = start;
  return parseClass(s);
}

function range(s: Source): ByteSet {
  const start = s.at;
  const first = member(s);
  s.skipIgnored();
  if (!s.sees('-') || s.seesAfter(']') || s.seesAfter('-')) return typeof first === 'number' ? single(first) : first;
  s.take('-');
  s.skipIgnored();
  const last = s.atEnd ? s.fail('this range has no end', start) : member(s);
  if (typeof first !== 'number' || typeof last !== 'number') return s.fail('a range is between two single characters', start);
  if (first > last) s.fail('a range goes from the smaller to the larger character', start);
  return setOf([first, last]);
}

function member(s: Source): number | ByteSet {
  const start = s.at;
  if (s.take('\\')) return escapeInClass(s, parseEscape(s), start);
  return classOctet(s, s.next(), start);
}
