import { describe, expect, it } from 'vitest';
import { loadText } from '../config/memory-files.ts';
import { findExcess, MAX_ALIASES, MAX_LINE, MAX_OPEN, MAX_TOKENS } from './bounds.ts';
import { printDiagnostic } from './print-diagnostic.ts';

/** What it says and where: offset of the start, and the text that is pointed at. */
function excess(text: string): readonly [string, number, string] | undefined {
  const found = findExcess(text);
  return found && [found.message, found.start, text.slice(found.start, found.end)];
}

const many = (count: number, text: string): string => text.repeat(count);

describe('bounds of a file', () => {
  it.each([
    { name: 'an ordinary file', input: 'bgp: { as: 64512 }\nsets:\n  a: &x\n    - 1\n  b: *x\n', want: undefined },
    { name: 'nothing', input: '', want: undefined },
    { name: 'a line of the greatest length', input: `${many(MAX_LINE, 'a')}\nb\n`, want: undefined },
    { name: 'a longer one', input: `b\n${many(MAX_LINE + 1, 'a')}`, want: ['a line of more than 16384 characters', MAX_LINE + 2, 'a'] },
    { name: 'the most aliases', input: `a: &a 1\n${many(MAX_ALIASES, '- *a\n')}`, want: undefined },
    {
      name: 'one more',
      input: `a: &a 1\n${many(MAX_ALIASES, '- *a\n')}- *a\n`,
      want: ['more than 1000 aliases', 8 + 5 * MAX_ALIASES + 2, '*a'],
    },
    { name: 'a star that is no alias', input: many(MAX_ALIASES + 1, '- "*"\n'), want: undefined },
    { name: 'brackets side by side', input: many(2000, '- [a]\n'), want: undefined },
    { name: 'brackets within brackets', input: many(MAX_OPEN + 1, '['), want: ['nested deeper than 500 levels', MAX_OPEN, '['] },
    { name: 'lists within lists', input: many(MAX_OPEN + 1, '- '), want: ['nested deeper than 500 levels', 2 * MAX_OPEN, '-'] },
    { name: 'mappings in one line', input: `[${many(MAX_OPEN + 1, 'a: 1,')}]`, want: undefined },
    { name: 'tokens', input: many(MAX_TOKENS + 1, '\n'), want: ['more than 200000 words and signs', MAX_TOKENS, '\n'] },
  ])('$name', ({ input, want }) => {
    expect(excess(input)).toEqual(want);
  });

  it('every token is counted at its place, whatever the file looks like', () => {
    const head = '%YAML 1.2\n---\na: "q\n  r"\nb: |\n  text\n# c\nd: >-\n  f\n? k\n: v\n...\n---\n';
    expect(excess(`${head}${many(MAX_OPEN + 1, '{')}`)?.[1]).toBe(head.length + MAX_OPEN);
  });

  it('is told with line and caret, and the rest is not looked at', () => {
    const { diagnostics, sources, config } = loadText(`a: &a x\nb:\n${many(MAX_ALIASES + 500, '- *a\n')}`);
    expect(config).toBeUndefined();
    expect(diagnostics.map((d) => printDiagnostic(d, sources)).join('\n')).toBe(
      'weir.yaml:1003:3 error[E004] more than 1000 aliases\n- *a\n  ^^',
    );
  });
});
