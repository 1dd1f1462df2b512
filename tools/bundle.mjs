// Bundles the command line and the worker threads into apps/weir/dist, so that `weir` starts fast. Native code and what it loads stay outside.
import { existsSync, rmSync } from 'node:fs';
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
  rmSync('apps/weir/dist/chunks', { recursive: true, force: true });
  await build({
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
}
