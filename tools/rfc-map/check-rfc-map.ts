import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isTest, listFiles } from '../files/source-files.ts';
import type { Finding } from '../run/finding.ts';
import { buildMap, printMap } from './rfc-map.ts';

const page = 'docs/rfc-map.md';

/** Compares docs/rfc-map.md with what the source says; with `update` writes it. */
export function checkRfcMap(root: string, update: boolean): readonly Finding[] {
  const lists = JSON.parse(readFileSync(join(root, 'tools/rfc-map.json'), 'utf8')) as Record<
    'implemented' | 'cited',
    Record<string, string>
  >;
  const titles = { ...lists.cited, ...lists.implemented };
  const paths = listFiles(root, ['packages', 'apps', 'test'], ['.ts']);
  const rows = buildMap(paths.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8'), test: isTest(path) })));
  const findings: Finding[] = [];
  for (const row of rows.filter((one) => !(one.rfc in titles))) {
    for (const file of row.sources) findings.push({ file, message: `names RFC ${row.rfc}, which tools/rfc-map.json does not list` });
  }
  for (const rfc of Object.keys(titles)) {
    const own = rows.filter((row) => row.rfc === rfc);
    if (own.length === 0) findings.push({ file: 'tools/rfc-map.json', message: `lists RFC ${rfc}, which no file names` });
    else if (rfc in lists.implemented && own.every((row) => row.tests.length === 0))
      findings.push({ file: 'tools/rfc-map.json', message: `lists RFC ${rfc}, which no test covers` });
  }
  const text = printMap(rows, titles);
  const path = join(root, page);
  if (update) writeFileSync(path, text);
  else if (!existsSync(path) || readFileSync(path, 'utf8') !== text)
    findings.push({ file: page, message: 'is out of date: npm run docs writes it' });
  return findings;
}
