import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { SourceText } from '../yaml/source-text.ts';
import { parseTree } from '../yaml/tree.ts';
import { placeInScalar } from './scalar-place.ts';

/** What of the file stands for each of the marked characters (`<` and `>` around them) of the value of `a`. */
function marked(yaml: string): string {
  const source = new SourceText('x', yaml);
  const tree = parseTree(source, () => undefined);
  const node = tree?.kind === 'map' ? tree.entries.find((e) => e.key === 'a')?.value : undefined;
  if (node?.kind !== 'scalar') throw new Error('no scalar');
  const start = node.text.indexOf('<');
  const end = node.text.indexOf('>') + 1;
  const place = placeInScalar(node.place, node.text, start, end);
  const { line, column, length } = source.span(place.start, place.end);
  return `${line}:${column}+${length} ${JSON.stringify(yaml.slice(place.start, place.end))}`;
}

const rows: readonly { readonly name: string; readonly input: string; readonly want: string }[] = [
  { name: 'plain', input: 'a: b c<d> e\n', want: '1:7+3 "<d>"' },
  { name: 'plain, folded', input: 'a: b\n  c  \n   <d> e\n', want: '3:4+3 "<d>"' },
  { name: 'plain, across lines', input: 'a: b <c\n  d> e\n', want: '1:6+2 "<c\\n  d>"' },
  { name: 'single quotes', input: "a: 'b''c <''d''>'\n", want: `1:10+7 "<''d''>"` },
  { name: 'double quotes', input: 'a: "b\\"c <\\x41\\">"\n', want: '1:10+8 "<\\\\x41\\\\\\">"' },
  { name: 'double quotes with a joined line', input: 'a: "b\\\n   c <d>"\n', want: '2:6+3 "<d>"' },
  {
    name: 'double quotes with all escapes',
    input: 'a: "\\0\\a\\b\\t\\n\\v\\f\\r\\e\\ \\/\\\\\\N\\_\\L\\P\\u00e9\\U0001f600<d>"\n',
    want: '1:53+3 "<d>"',
  },
  { name: 'double quotes, folded', input: 'a: "b\n\n\n   c\n   <d>"\n', want: '5:4+3 "<d>"' },
  { name: 'literal', input: 'a: |\n  b\n    c\n\n  <d>\n', want: '5:3+3 "<d>"' },
  { name: 'literal with indicators', input: 'a: |2-\n    b\n   <d>\n\n', want: '3:4+3 "<d>"' },
  { name: 'folded', input: 'a: >-\n  b\n  c\n\n    deep\n  <d>\n', want: '6:3+3 "<d>"' },
  { name: 'behind an alias', input: "b: &x 'c <d>'\na: *x\n", want: '1:10+3 "<d>"' },
  { name: 'beyond the first plane', input: "a: '\u{1f600} <d>'\n", want: '1:7+3 "<d>"' },
];
for (const row of rows) test(row.name, () => expect(marked(row.input)).toBe(row.want));

test('every character but white space and escapes leads to itself, however the scalar is written', () => {
  const words = fc.array(fc.stringMatching(/^[a-z0-9.="'\\$<>{}]{1,6}$/), { minLength: 1, maxLength: 12 });
  const breaks = fc.array(fc.constantFrom(' ', '\n', '\n\n', '  ', '\n  '), { minLength: 12, maxLength: 12 });
  fc.assert(
    fc.property(words, breaks, fc.constantFrom("'", '"', '|', '>'), (parts, gaps, style) => {
      const lines = parts
        .map((part, i) => part + (gaps[i] ?? ''))
        .join('')
        .trim();
      const body = lines.replace(/\n/g, '\n  ');
      const written =
        style === "'" ? `'${body.replaceAll("'", "''")}'` : style === '"' ? `"${body.replace(/["\\]/g, '\\$&')}"` : `${style}-\n  ${body}`;
      const yaml = `a: ${written}\n`;
      const value: unknown = (parse(yaml) as { a: unknown }).a;
      if (typeof value !== 'string') throw new Error('not a text');
      const source = new SourceText('x', yaml);
      for (let i = 0; i < value.length; i++) {
        const c = value[i] ?? '';
        if (c === ' ' || c === '\n') continue;
        const { start, end } = placeInScalar({ source, start: 3, end: yaml.length - 1 }, value, i, i + 1);
        const there = yaml.slice(start, end);
        expect([yaml, i, there]).toEqual([yaml, i, style === "'" && c === "'" ? "''" : style === '"' && /["\\]/.test(c) ? `\\${c}` : c]);
      }
    }),
    { numRuns: 300 },
  );
});

test('a value that is not the text of the place is the whole place', () => {
  const source = new SourceText('x', 'a: "b c"\n');
  expect(placeInScalar({ source, start: 3, end: 8 }, 'something else', 2, 4)).toMatchObject({ start: 3, end: 8 });
});
