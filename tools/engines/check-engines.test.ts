import { expect, test } from 'vitest';
import { checkLock, checkManifest } from './check-engines.ts';

const good = { version: '1.0.0', resolved: 'https://registry.npmjs.org/a/-/a-1.0.0.tgz', integrity: 'sha512-x' };

const rows: { name: string; input: Record<string, object>; want: string[] }[] = [
  { name: 'fits', input: { '': { engines: { node: '>=20.19' } }, 'node_modules/a': { ...good, engines: { node: '>=18' } } }, want: [] },
  {
    name: 'too new',
    input: { 'node_modules/a': { ...good, engines: { node: '>=22' } } },
    want: ['node_modules/a 1.0.0 excludes Node 20.19.0: >=22'],
  },
  {
    name: 'a script',
    input: { 'node_modules/a': { ...good, hasInstallScript: true } },
    want: ['a has an install script; say in check-engines.ts why it is not needed, or drop it'],
  },
  { name: 'a known script', input: { 'node_modules/b/node_modules/esbuild': { ...good, hasInstallScript: true } }, want: [] },
  {
    name: 'no hash',
    input: { 'node_modules/@s/a': { version: '1.0.0', resolved: 'https://registry.npmjs.org/a' } },
    want: ['@s/a is not pinned to the registry by a hash'],
  },
  {
    name: 'from git',
    input: { 'node_modules/a': { ...good, resolved: 'git+ssh://git@github.com/a/a.git' } },
    want: ['a is not pinned to the registry by a hash'],
  },
  {
    name: 'a workspace',
    input: { 'packages/a': { version: '1.0.0' }, 'node_modules/@weir/a': { resolved: 'packages/a', link: true } },
    want: [],
  },
];

test.each(rows)('lock: $name', ({ input, want }) => {
  expect(checkLock({ packages: input }).map((finding) => finding.message)).toEqual(want);
});

test('versions are exact', () => {
  const manifest = { dependencies: { a: '1.2.3', b: '^1.2.3' }, devDependencies: { c: 'latest' } };
  expect(checkManifest('package.json', manifest).map((finding) => finding.message)).toEqual([
    'b is not an exact version: ^1.2.3',
    'c is not an exact version: latest',
  ]);
});
