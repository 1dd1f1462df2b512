// Bundles the command line and the worker threads into apps/weir/dist, so that `weir` starts fast. Native code and what it loads stay outside.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const entryPoints = {
  weir: 'apps/weir/src/main.ts',
  'kernel-worker': 'apps/weir/src/reconcile/worker-main.ts',
  'verdict-reader': 'apps/weir/src/observe/verdicts/reader-worker.ts',
};
const present = Object.fromEntries(Object.entries(entryPoints).filter(([, path]) => existsSync(path)));

if (Object.keys(present).length > 0) {
  const { outputFiles } = await build({
    write: false,
    absWorkingDir: process.cwd(),
    entryPoints: present,
    outdir: 'apps/weir/dist',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    conditions: ['source'],
    external: ['koffi'],
    sourcemap: 'linked',
    legalComments: 'none',
    minifyWhitespace: true,
    minifySyntax: true,
    logLevel: 'warning',
    banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
  });
  // What runs while this is made finds the old files or the new ones, whole: parts come before what asks for them, and the old ones go last.
  const ordered = outputFiles.toSorted((a, b) => Number(b.path.includes('/chunks/')) - Number(a.path.includes('/chunks/')));
  for (const { path, contents } of ordered) put(path, contents);
  const made = new Set(ordered.map(({ path }) => path));
  const chunks = join(process.cwd(), 'apps/weir/dist/chunks');
  for (const name of existsSync(chunks) ? readdirSync(chunks) : []) if (!made.has(join(chunks, name))) rmSync(join(chunks, name));
}

/** Writes a file in one step; one that has these contents already is only as new as now. */
function put(path, contents) {
  if (existsSync(path) && readFileSync(path).equals(contents)) {
    const now = new Date();
    utimesSync(path, now, now);
    return;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, contents);
  renameSync(`${path}.new`, path);
}
