import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { isTest, listFiles, sourceExtensions, sourceFolders } from '../files/source-files.ts';
import type { Finding } from '../run/finding.ts';
import { findImports, type Import } from './imports.ts';
import { folderLevels, folderMayImport, madeForTests, packageMayImport, pureFolders, reservedFor, sourceOnly, testOnly } from './rules.ts';

/** One workspace: its folder (`packages/wire`), its name and what its package.json declares. */
export interface Workspace {
  readonly folder: string;
  readonly name: string;
  readonly dependencies: readonly string[];
}

/** Every import that breaks rules.ts. Pure: `imports` come from `findImports`. */
export function checkImports(
  imports: readonly Import[],
  workspaces: readonly Workspace[],
  rootDependencies: readonly string[],
): readonly Finding[] {
  return imports.flatMap((one) => {
    const messages = [...judge(one, workspaces, rootDependencies)];
    return messages.map((message) => ({ file: one.file, line: one.line, message }));
  });
}

/** Reads the whole checkout and checks it. */
export function checkLayers(root: string): readonly Finding[] {
  const read = (path: string): Manifest => JSON.parse(readFileSync(`${root}/${path}`, 'utf8')) as Manifest;
  const manifest = read('package.json');
  const workspaces = (manifest.workspaces ?? []).map((folder): Workspace => {
    const { name, dependencies } = read(`${folder}/package.json`);
    return { folder, name: name ?? folder, dependencies: Object.keys(dependencies ?? {}) };
  });
  const files = listFiles(root, sourceFolders, sourceExtensions);
  return checkImports(findImports(root, files), workspaces, Object.keys(manifest.devDependencies ?? {}));
}

interface Manifest {
  readonly name?: string;
  readonly workspaces?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function* judge({ file, specifier }: Import, workspaces: readonly Workspace[], rootDependencies: readonly string[]): Generator<string> {
  if (specifier === undefined) {
    if (workspaces.some((workspace) => file.startsWith(`${workspace.folder}/src/`)))
      yield 'imports a computed module, which no layer check can see';
    return;
  }
  const own = workspaces.find((workspace) => file.startsWith(`${workspace.folder}/`));
  if (specifier.startsWith('.')) {
    const target = posix.join(posix.dirname(file), specifier);
    yield* own === undefined ? judgeOutside(file, target) : judgeInside(file, target, own);
    return;
  }
  if (specifier.startsWith('node:')) {
    const pure = pureFolders.find((folder) => file.startsWith(`${folder}/`));
    if (pure !== undefined && !isTest(file)) yield `imports ${specifier}, but ${pure} is pure`;
    return;
  }
  if (builtinModules.includes(specifier)) {
    yield `imports ${specifier} without the node: prefix`;
    return;
  }
  yield* judgePackage(file, specifier, own, rootDependencies);
}

function* judgePackage(
  file: string,
  specifier: string,
  own: Workspace | undefined,
  rootDependencies: readonly string[],
): Generator<string> {
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  const reserved = reservedFor[name];
  if (reserved !== undefined && own?.name !== reserved.package) {
    yield `imports ${name}: ${reserved.reason}`;
    return;
  }
  const ours = name in packageMayImport;
  if (own === undefined) {
    if (!ours && !rootDependencies.includes(name)) yield `imports ${name}, which the root package.json does not declare`;
    return;
  }
  if (ours && name === own.name) {
    // An example shows what a user of the package writes.
    if (file.startsWith(`${own.folder}/examples/`)) return;
    yield `imports its own package by name (${specifier}): use a relative path`;
    return;
  }
  if (ours && !(packageMayImport[own.name] ?? []).includes(name)) {
    yield `imports ${name}, which is not to the left of ${own.name}`;
    return;
  }
  const forTests = isTest(file) && testOnly.includes(name);
  if (sourceOnly[file]?.includes(name)) return;
  if (!own.dependencies.includes(name) && !forTests) yield `imports ${name}, which ${own.folder}/package.json does not declare`;
}

/** A relative import inside a package: it may not leave the package, nor climb in its levels. */
function* judgeInside(file: string, target: string, own: Workspace): Generator<string> {
  if (isTest(file) && madeForTests.some((folder) => target.startsWith(`${folder}/`))) return;
  if (!target.startsWith(`${own.folder}/`)) {
    yield `imports ${target} by path: across packages import by package name`;
    return;
  }
  const top = `${own.folder}/src`;
  const levels = folderLevels[top];
  if (levels === undefined || !file.startsWith(`${top}/`)) return;
  const from = folderBelow(top, file);
  const to = folderBelow(top, target);
  const fromLevel = levels.findIndex((level) => level.includes(from));
  const toLevel = levels.findIndex((level) => level.includes(to));
  if (fromLevel < 0) yield `is in ${from}, which has no level in rules.ts`;
  else if (toLevel < 0) yield `imports ${to}, which has no level in rules.ts`;
  else if (from === to) return;
  else if (toLevel > fromLevel) yield `imports ${to}, which is above ${from}`;
  else if (toLevel === fromLevel) yield `imports ${to}, which is beside ${from}: what they share belongs below them`;
}

function* judgeOutside(file: string, target: string): Generator<string> {
  const from = folderBelow('', file);
  const to = folderBelow('', target);
  const allowed = folderMayImport[from];
  if (to === 'packages') yield `imports ${target} by path: import packages by name`;
  else if (allowed !== undefined && !allowed.includes(to)) yield `imports ${target}: ${from} may import only ${allowed.join(', ')}`;
}

/** The first part of `path` below `top`: a folder, or a file's name. A test counts as the file that it tests. */
function folderBelow(top: string, path: string): string {
  const rest = top === '' ? path : path.slice(top.length + 1);
  return (rest.split('/')[0] ?? '').replace(/\.test\.ts$/, '.ts');
}
