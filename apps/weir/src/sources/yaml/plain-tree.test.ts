import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SMALL_TREE } from './bounds.ts';
import { readPlainTree } from './plain-tree.ts';
import { SourceText, spanOf } from './source-text.ts';
import { type ConfigNode, parseAnyTree } from './tree.ts';

/** A tree with spans for places, as diagnostics show them. Where a block collection ends is not compared: it counts comments that follow. */
function seen(node: ConfigNode | undefined): unknown {
  if (!node) return undefined;
  const { line, column, length } = spanOf(node.place);
  const block = node.kind !== 'scalar' && !'[{'.includes(node.place.source.text[node.place.start] ?? '');
  const at = `${line}:${column}${block ? '' : ` ${length}`}`;
  switch (node.kind) {
    case 'scalar':
      return { at, value: Object.is(node.value, -0) ? 0 : node.value, text: node.text };
    case 'list':
      return { at, items: node.items.map(seen) };
    case 'map':
      return { at, entries: node.entries.map((e) => ({ key: e.key, at: spanOf(e.keyPlace), value: seen(e.value) })) };
  }
}

/** What the parser of all of YAML makes of a text; undefined when it finds a mistake. */
function whole(text: string): ConfigNode | undefined {
  let mistakes = 0;
  const tree = parseAnyTree(
    new SourceText('a', text),
    () => {
      mistakes++;
    },
    SMALL_TREE,
  );
  return mistakes > 0 ? undefined : tree;
}

/** Whether the plain reader has a tree, which is then the tree. */
function agrees(text: string): boolean {
  const plain = readPlainTree(new SourceText('a', text), SMALL_TREE);
  if (plain) expect([text, seen(plain)]).toEqual([text, seen(whole(text))]);
  return plain !== undefined;
}

describe('the plain part of YAML', () => {
  const plain: readonly string[] = [
    'a: 1\n',
    'a: 1',
    '---\na: 1\n',
    'a:\nb: 2\n',
    'a: # nothing\nb: x # y\n',
    '# first\n\na: x#y\n  # between\nb: [1, 2 ] # after\n',
    'a:\n  - 1\n  - x y\n  - "q"\nb: 0x1F\n',
    'a:\n- 1\n- b: 2\n  c: 3\n- d: 4\ne: 5\n',
    'a:\n  - b: 1\n    c:\n      - d: [e, {f: 1, g: "h"}]\n    i: 2\n',
    'a:\n  -\n    b: 1\n',
    '- a\n- b\n',
    'a: \'it\'\'s\'\nb: "a \\"b\\" \\\\"\n',
    'a: [192.0.2.0/24, 2001:db8::/32, "::/0", 80-90, wg*, $admins]\n',
    'a: [1, 2,]\nb: []\nc: {}\n',
    'a: 1.5\nb: -3\nc: 1e3\nd: +7\ne: .5\nf: 1.\ng: true\nh: FALSE\ni: ~\nj: null\nk: Null\nl: nope\nm: -x\n',
    'a: 007\nb: 1_000\nc: 0x\nd: 12:30\ne: 2026-01-01T00:00:00Z\n',
    'a: b - c\nd: e? f!\ng: h & i | j > k\n',
    'a: "x"   \nb: [c]   \nd:   \n',
    'a.b-c_D: 1\n',
    'a: b\u00a0 \nc: [d\u00a0]\n',
    'a: |\n  b: c\n    d \n\n  e\n\n# x\nf: 1\n',
    'a: |-\n\n  b\n',
    'a: >-\n  b \n  c: d\ne: 1\n',
    'a: >\n  b\n',
    '- a: |-\n    b\n  c: >-\n     d\n     e',
    "expression: 'tcp.flags.syn and ip.ttl < 64'\n",
  ];
  for (const text of plain) test(JSON.stringify(text), () => expect(agrees(text)).toBe(true));

  const beyond: readonly string[] = [
    '',
    '# only a comment\n',
    'a\n',
    'a: |+\n  b\n',
    'a: |2\n  b\n',
    'a: | # x\n  b\n',
    'a: |\nb: 1\n',
    'a: |\n',
    'a: |\n  # b\n',
    'a: |\n  b\n # c\n  d\n',
    'a: |\n  b\n   \n  c\n',
    'a: >-\n  b\n    c\n',
    'a: >-\n  b\n\n  c\n',
    '- |\n  b\n',
    'a: b\n  c\n',
    'a: "b\n  c"\n',
    'a: &x 1\nb: *x\n',
    'a: !!str 1\n',
    'a: 1\na: 2\n',
    'a: [1,\n  2]\n',
    'a: b: c\n',
    'a: [b: c]\n',
    'a: [2001:db8::]\n',
    'a: {b}\n',
    'a: {b: }\n',
    'a: ]\n',
    '"a": 1\n',
    '1: 2\n',
    'a: 1\n b: 2\n',
    ' a: 1\nb: 2\n',
    'a:\n    - 1\n  - 2\n',
    'a:\n  - - 1\n',
    'a: 1\n---\nb: 2\n',
    '--- a\n',
    '%YAML 1.2\n---\na: 1\n',
    'a:\t1\n',
    'a: 1\r\nb: 2\r\n',
    '\ufeffa: 1\n',
    'a: "\\n"\n',
    'a: 0o17\nb: .inf\n',
    'a: "b"c\n',
    'a: [b]c\n',
    'a: "b"#c\n',
    'a: \u{1f600}\n',
    'a:#b\n',
  ];
  for (const text of beyond) test(`${JSON.stringify(text)} is beyond it`, () => expect(agrees(text)).toBe(false));

  test('bounds of values and of nesting', () => {
    const read = (text: string): unknown => readPlainTree(new SourceText('a', text), { tokens: 1, values: 3 });
    expect(read('a: [1]\n')).toBeDefined();
    expect(read('a: [1, 2]\n')).toBeUndefined();
    expect(agrees(`a: ${'['.repeat(31)}${']'.repeat(31)}\n`)).toBe(true);
    expect(agrees(`a: ${'['.repeat(40)}${']'.repeat(40)}\n`)).toBe(false);
  });

  const folder = fileURLToPath(new URL('../../../../../examples/', import.meta.url));
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((n) => n.endsWith('.yaml'))) {
    test(`examples/${name}`, () => void agrees(readFileSync(folder + name, 'utf8')));
  }

  test('whatever the pieces, it has the tree of YAML or none', () => {
    const piece = fc.constantFrom(
      ...['a', 'b', 'c', ':', ': ', ' ', '  ', '\n', '\n  ', '\n- ', '\n  - ', '- ', '-', '[', ']', '{', '}', ', ', ',', '"', "'", '#'],
      ...[
        ' # x',
        '1',
        '0x1',
        '1.5',
        'true',
        '~',
        '::',
        '$x',
        '*',
        '&',
        '|',
        '>',
        '%',
        '?',
        '!',
        '\\',
        '@',
        '---\n',
        '...',
        '.',
        '-1',
        '=',
        '<',
      ],
    );
    let plain = 0;
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
        if (agrees(`a:${pieces.join('')}`) || agrees(pieces.join(''))) plain++;
      }),
      { numRuns: 1000 },
    );
    expect(plain).toBeGreaterThan(50);
  });

  test('generated documents are plain', () => {
    const scalar = fc.constantFrom(
      '1',
      'x',
      '"q r"',
      "'s'",
      '192.0.2.0/24',
      'true',
      '[]',
      '[a, 2]',
      '{k: v, l: [1]}',
      'x: #',
      '',
      '|\n      a b\n       c',
      '>-\n      a\n      b: c',
    );
    const doc: fc.Arbitrary<string> = fc
      .array(fc.tuple(scalar, fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 12 })
      .map((rows) => {
        let text = 'rules:\n';
        rows.forEach(([value, first, comment], i) => {
          text += `${i === 0 || first ? '  - ' : '    '}k${i}: ${value === 'x: #' ? 'x' : value}${comment && !/^[|>]/.test(value) ? ' # c' : ''}\n`;
        });
        return text;
      });
    fc.assert(
      fc.property(doc, (text) => agrees(text)),
      { numRuns: 200 },
    );
  });
});
