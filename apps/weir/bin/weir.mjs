#!/usr/bin/env node
// Runs the bundle where there is one that is not older than its source, otherwise the source itself.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const bundle = here('../dist/weir.mjs');
const source = here('../src');

/** Whether a file below `folder` is newer than `time`; tests do not count. */
function newerThan(folder, time) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (newerThan(path, time)) return true;
    } else if (path.endsWith('.ts') && !path.endsWith('.test.ts') && statSync(path).mtimeMs > time) return true;
  }
  return false;
}

/** The source folders that the bundle was made of; none of them exists in an installed package. */
const folders = [source, ...['wire', 'sys', 'bgp', 'netlink'].map((name) => here(`../../../packages/${name}/src`))].filter((folder) =>
  existsSync(folder),
);
const current = existsSync(bundle) && !folders.some((folder) => newerThan(folder, statSync(bundle).mtimeMs));

if (current) await import('../dist/weir.mjs');
else {
  const [{ register }, tsx] = await Promise.all([import('node:module'), import('tsx/esm/api')]);
  const hook = `export const resolve = (specifier, context, next) => next(specifier, { ...context, conditions: [...context.conditions, 'source'] });`;
  register(`data:text/javascript,${encodeURIComponent(hook)}`);
  tsx.register();
  await import('../src/main.ts');
}
