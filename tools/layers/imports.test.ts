import { expect, test } from 'vitest';
import { findImports } from './imports.ts';

const text = `import a from './static.ts';
import type { B } from './type.ts';
import { type C } from './inline-type.ts';
import './side-effect.ts';
export * from './star.ts';
export { d } from './named.ts';
export type { E } from './type-export.ts';
import f = require('./require.ts');
type G = import('./import-type.ts').G;
type H = typeof import('./import-typeof.ts');
const i = await import('./dynamic.ts');
const j = await import(\`./template.ts\`);
const k = await import('./computed' + a);
// import './comment.ts';
/* export * from './block-comment.ts'; */
const l = "import './string.ts'";
const m = \`import './template-text.ts' \${await import('./in-template.ts')}\`;
const n = /import '.\\/regex.ts'/.test('') ? a / 2 : 1 / a;
const o = { import: (x) => x, from: './property.ts' };
o.import('./method.ts');
declare module './augment.ts' {}
const p = \`\${\`\${await import('./nested.ts')}\`}\`;
`;

test('every way to name a module, and nothing else', () => {
  const got = findImports('/virtual', ['a.ts'], { '/virtual/a.ts': text }).map(({ line, specifier }) => `${line} ${specifier}`);
  expect(got.toSorted()).toEqual(
    [
      '1 ./static.ts',
      '2 ./type.ts',
      '3 ./inline-type.ts',
      '4 ./side-effect.ts',
      '5 ./star.ts',
      '6 ./named.ts',
      '7 ./type-export.ts',
      '8 ./require.ts',
      '9 ./import-type.ts',
      '10 ./import-typeof.ts',
      '11 ./dynamic.ts',
      '12 ./template.ts',
      '13 undefined',
      '17 ./in-template.ts',
      '21 ./augment.ts',
      '22 ./nested.ts',
    ].toSorted(),
  );
});

test('JavaScript too', () => {
  const input = { '/virtual/a.mjs': "import x from 'node:fs';\nawait import('./b.mjs');\n" };
  expect(findImports('/virtual', ['a.mjs'], input).map(({ specifier }) => specifier)).toEqual(['node:fs', './b.mjs']);
});
