import { expect, test } from 'vitest';
import { buildMap, findMentions, printMap } from './rfc-map.ts';

const rows: { input: string; want: string[] }[] = [
  { input: '/** RFC 4271 section 6.3 */', want: ['4271 6.3'] },
  { input: '// see RFC 7606 sections 3, 5.3 and 7.11.', want: ['7606 3', '7606 5.3', '7606 7.11'] },
  { input: 'RFC 1997. RFC 1997', want: ['1997 '] },
  { input: 'RFC 4271, section 8.2.2', want: ['4271 8.2.2'] },
  { input: '/**\n * as RFC 4724\n * section 4.2 says\n */', want: ['4724 4.2'] },
  { input: '// RFC 9494\n// section 4', want: ['9494 4'] },
  { input: 'RFC 9072 appendix', want: ['9072 '] },
  { input: 'RFC 4271 section 6 and 20 others', want: ['4271 6', '4271 20'] },
  { input: 'the RFC says 4271', want: [] },
];

test.each(rows)('$input', ({ input, want }) => {
  expect(findMentions(input).map(({ rfc, section }) => `${rfc} ${section}`)).toEqual(want);
});

test('rows name their sources, and the tests that name the section or lie beside', () => {
  const file = (path: string, text: string) => ({ path, text, test: path.includes('.test.') });
  const map = buildMap([
    file('p/a.ts', 'RFC 1 section 2.10; RFC 100 section 2.10; RFC 100 section 2.9'),
    file('p/a.test.ts', 'nothing'),
    file('p/b.ts', 'RFC 100 section 2.9'),
    file('q/c.ts', 'RFC 200'),
    file('q/d.test.ts', ''),
    file('r/e.ts', 'RFC 300'),
    file('s/f.test.ts', 'RFC 100 section 2.9; RFC 400'),
  ]);
  expect(map).toEqual([
    { rfc: '100', section: '2.9', sources: ['p/a.ts', 'p/b.ts'], tests: ['s/f.test.ts'] },
    { rfc: '100', section: '2.10', sources: ['p/a.ts'], tests: ['p/a.test.ts'] },
    { rfc: '200', section: '', sources: ['q/c.ts'], tests: ['q/d.test.ts'] },
    { rfc: '300', section: '', sources: ['r/e.ts'], tests: [] },
  ]);
  const page = printMap(map, { 100: 'One', 300: 'Three', 500: 'Five' });
  expect(page).toContain(
    '## RFC 100: One\n\n| section | source | tests |\n|---|---|---|\n| 2.9 | [a.ts](../p/a.ts), [b.ts](../p/b.ts) | [f.test.ts](../s/f.test.ts) |\n',
  );
  expect(page).toContain('| as a whole | [e.ts](../r/e.ts) | none |');
  expect(page).toContain('## RFC 500: Five\n\nNamed by no file.');
});
