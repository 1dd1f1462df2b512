/** A section that a file names; section '' is the RFC as a whole. */
export interface Mention {
  readonly rfc: string;
  readonly section: string;
}

/** Where one section is implemented and tested: paths relative to the root, sorted. */
export interface Row extends Mention {
  readonly sources: readonly string[];
  readonly tests: readonly string[];
}

const mention =
  /\bRFC[ -]?(\d{3,5})\b(?:,? sections? ((?:[A-Z]|\d+)(?:\.\d+)*(?:(?:, | and |, and )(?:[A-Z]|\d+)(?:\.\d+)*(?![\w.]*\d))*))?/g;

/** `RFC 4271 section 6.3`, `RFC 7606 sections 3 and 5.3`, `RFC 1997`: every RFC and section that the text names, once. */
export function findMentions(text: string): readonly Mention[] {
  const found = new Map<string, Mention>();
  // A comment wraps where it must: line breaks, with the star of a documentation comment, count as one space.
  for (const match of text.replace(/\s*\n\s*(?:\*|\/\/)?\s*/g, ' ').matchAll(mention)) {
    const rfc = match[1] ?? '';
    const sections = (match[2] ?? '').split(/,? and |, /);
    for (const section of sections) found.set(`${rfc} ${section}`, { rfc, section });
  }
  return [...found.values()];
}

/**
 * One row for each section that a source names. Its tests are those that name the same section or, where none does, the ones beside its
 * sources: `x.test.ts` of `x.ts`, else the tests of the same folder. `files` are path and text.
 */
export function buildMap(files: readonly { readonly path: string; readonly text: string; readonly test: boolean }[]): readonly Row[] {
  const rows = new Map<string, { mention: Mention; sources: string[]; tests: string[] }>();
  const tests = files.filter((file) => file.test);
  for (const file of files.filter((one) => !one.test)) {
    for (const one of findMentions(file.text)) {
      const key = `${one.rfc} ${one.section}`;
      const row = rows.get(key) ?? { mention: one, sources: [], tests: [] };
      row.sources.push(file.path);
      rows.set(key, row);
    }
  }
  for (const file of tests) {
    for (const one of findMentions(file.text)) rows.get(`${one.rfc} ${one.section}`)?.tests.push(file.path);
  }
  const paths = tests.map((file) => file.path);
  return [...rows.values()]
    .map(({ mention: one, sources, tests: exact }) => ({
      ...one,
      sources: sources.sort(),
      tests: (exact.length > 0 ? exact : beside(sources, paths)).sort(),
    }))
    .sort((a, b) => Number(a.rfc) - Number(b.rfc) || a.section.localeCompare(b.section, 'en', { numeric: true }));
}

function beside(sources: readonly string[], tests: readonly string[]): string[] {
  const own = sources.map((path) => path.replace(/\.ts$/, '.test.ts')).filter((path) => tests.includes(path));
  if (own.length > 0) return own;
  const folders = new Set(sources.map(folderOf));
  return tests.filter((path) => folders.has(folderOf(path)));
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/** docs/rfc-map.md. Links are relative to docs/. */
export function printMap(rows: readonly Row[], titles: Readonly<Record<string, string>>): string {
  const link = (path: string): string => `[${path.slice(path.lastIndexOf('/') + 1)}](../${path})`;
  const sections = Object.entries(titles).flatMap(([rfc, title]) => {
    const own = rows.filter((row) => row.rfc === rfc);
    const lines = own.map(
      (row) => `| ${row.section || 'as a whole'} | ${row.sources.map(link).join(', ')} | ${row.tests.map(link).join(', ') || 'none'} |`,
    );
    const table = own.length === 0 ? ['Named by no file.'] : ['| section | source | tests |', '|---|---|---|', ...lines];
    return [`## RFC ${rfc}: ${title}`, '', ...table, ''];
  });
  const head = [
    '# Where each RFC is implemented and tested',
    '',
    'Written by `npm run docs` from what the source says: a comment that names `RFC N section S` is a row here. `npm run check` fails when',
    'this page is out of date, when a listed RFC is named nowhere, or when one is named that tools/rfc-map.json does not list.',
    '',
  ];
  return `${[...head, ...sections].join('\n').trimEnd()}\n`;
}
