import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { betweenSpans, keptSpans } from './kept-spans.ts';

const list = (text: string): readonly string[] => [...text];

describe('what a list has in common with the one before', () => {
  /** Spans as `from>to+count`. */
  test.each([
    { name: 'nothing', before: 'abc', now: 'xyz', want: '' },
    { name: 'all', before: 'abc', now: 'abc', want: '0>0+3' },
    { name: 'one changed', before: 'abcde', now: 'abXde', want: '0>0+2 3>3+2' },
    { name: 'one inserted', before: 'abcd', now: 'abXcd', want: '0>0+2 2>3+2' },
    { name: 'one removed', before: 'abcd', now: 'abd', want: '0>0+2 3>2+1' },
    { name: 'one moved up', before: 'abcdefg', now: 'afbcdeg', want: '0>0+1 1>2+4 6>6+1' },
  ])('$name', ({ before, now, want }) => {
    const spans = keptSpans(list(before), list(now));
    expect(spans.map(({ from, to, count }) => `${from}>${to}+${count}`).join(' ')).toBe(want);
  });

  test('spans are the same in both lists and ascend, and with what is between them they are all of it', () => {
    const items = fc.array(fc.nat(5), { maxLength: 60 });
    fc.assert(
      fc.property(items, items, (before, now) => {
        const spans = keptSpans(before, now);
        for (const at of ['from', 'to'] as const) {
          const of = at === 'from' ? before : now;
          const parts: (readonly [number, number])[] = spans.map((span) => [span[at], span[at] + span.count] as const);
          betweenSpans(spans, at, of.length, (first, behind) => parts.push([first, behind]));
          const covered = parts.sort((a, b) => a[0] - b[0]).flatMap(([first, behind]) => of.slice(first, behind).map((_, i) => first + i));
          expect(covered).toEqual(of.map((_, i) => i));
        }
        for (const { from, to, count } of spans) expect(before.slice(from, from + count)).toEqual(now.slice(to, to + count));
      }),
    );
  });
});
