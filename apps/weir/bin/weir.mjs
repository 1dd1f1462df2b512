#!/usr/bin/env node
// Runs the bundle where there is one that is not older than its source, otherwise the source itself.
import { existsSync, readdirSync, statSync } from 'node:fs';
import module from 'node:module';
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
const folders = [
  source,
  ...['wire', 'sys', 'filter', 'bgp', 'netlink', 'ebpf'].map((name) => here(`../../../packages/${name}/src`)),
].filter((folder) => existsSync(folder));
const current = existsSync(bundle) && !folders.some((folder) => newerThan(folder, statSync(bundle).mtimeMs));

// Keeps compiled code between runs where Node can (22 and later).
module.enableCompileCache?.();

if (current) await import('../dist/weir.mjs');
else {
  // tsx belongs to the checkout: an installed package has the bundle and no source.
  const tsx = await import(import.meta.resolve('tsx/esm/api'));
  const hook = `export const resolve = (specifier, context, next) => next(specifier, { ...context, conditions: [...context.conditions, 'source'] });`;
  module.register(`data:text/javascript,${encodeURIComponent(hook)}`);
  tsx.register();
  await import('../src/main.ts');
}
