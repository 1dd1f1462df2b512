import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '../run/finding.ts';
import { printSurface, readSurfaces } from './surface.ts';

const folder = 'tools/surfaces';

interface Entry {
  readonly specifier: string;
  readonly types: string;
  readonly golden: string;
}

/**
 * Compares what each library exports, as its emitted declarations say, with the golden files in tools/surfaces; with `update` writes them.
 * `tsc -b` must have run.
 */
export function checkSurfaces(root: string, update: boolean): readonly Finding[] {
  const entries = readdirSync(join(root, 'packages'))
    .sort()
    .flatMap((name) => entriesOf(root, `packages/${name}`));
  const missing = entries.filter((entry) => !existsSync(join(root, entry.types)));
  const findings: Finding[] = missing.map((entry) => ({
    file: entry.types,
    message: `is not there: ${entry.specifier} has no declarations`,
  }));
  const present = entries.filter((entry) => !missing.includes(entry));
  const surfaces = readSurfaces(
    root,
    present.map((entry) => join(root, entry.types)),
  );
  for (const entry of present) {
    const text = printSurface(entry.specifier, surfaces.get(join(root, entry.types)) ?? []);
    const path = join(root, entry.golden);
    const golden = existsSync(path) ? readFileSync(path, 'utf8') : '';
    if (text === golden) continue;
    if (update) writeFileSync(path, text);
    else
      findings.push({
        file: entry.golden,
        message: `is not what ${entry.specifier} exports (npm run docs writes it):\n${difference(golden, text)}`,
      });
  }
  const known = new Set(entries.map((entry) => entry.golden));
  for (const file of readdirSync(join(root, folder)).filter((name) => name.endsWith('.txt'))) {
    if (known.has(`${folder}/${file}`)) continue;
    if (update) rmSync(join(root, folder, file));
    else findings.push({ file: `${folder}/${file}`, message: 'belongs to no export' });
  }
  return findings;
}

function entriesOf(root: string, workspace: string): readonly Entry[] {
  const { name, exports } = JSON.parse(readFileSync(join(root, workspace, 'package.json'), 'utf8')) as {
    name: string;
    exports: Readonly<Record<string, { readonly types: string }>>;
  };
  return Object.entries(exports).map(([subpath, { types }]) => {
    const specifier = name + subpath.slice(1);
    return { specifier, types: join(workspace, types), golden: `${folder}/${specifier.replace('@weir/', '').replaceAll('/', '.')}.txt` };
  });
}

/** Lines of one text that the other does not have, the first 40. */
function difference(before: string, after: string): string {
  const old = before.split('\n');
  const now = after.split('\n');
  const oldSet = new Set(old);
  const nowSet = new Set(now);
  const lines = [
    ...old.filter((line) => !nowSet.has(line)).map((line) => `  - ${line}`),
    ...now.filter((line) => !oldSet.has(line)).map((line) => `  + ${line}`),
  ];
  return lines.slice(0, 40).join('\n') || '  (only the order changed)';
}
