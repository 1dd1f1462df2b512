import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const ignored = new Set(['node_modules', 'dist', 'coverage', '.git']);

/** The paths (relative to `root`, sorted) of every file below the named folders or files that ends in one of `extensions`. */
export function listFiles(root: string, tops: readonly string[], extensions: readonly string[]): readonly string[] {
  const found: string[] = [];
  const visit = (path: string): void => {
    for (const entry of readdirSync(join(root, path), { withFileTypes: true })) {
      const inner = path === '' ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory() && !ignored.has(entry.name)) visit(inner);
      else if (entry.isFile() && extensions.some((extension) => entry.name.endsWith(extension))) found.push(inner);
    }
  };
  for (const top of tops) visit(top);
  return found.sort();
}

/** Where the project's own source is. */
export const sourceFolders: readonly string[] = ['packages', 'apps', 'test', 'bench', 'fuzz', 'tools', 'conformance'];
export const sourceExtensions: readonly string[] = ['.ts', '.mjs'];

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || path.startsWith('test/');
}
