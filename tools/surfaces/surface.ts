import type { Node } from 'typescript/unstable/ast';
import { SyntaxKind } from 'typescript/unstable/ast';
import { API, type Project, SymbolFlags } from 'typescript/unstable/sync';

/** One name that a module exports: how it is declared, without comments and bodies, and the modules in which that is written. */
export interface ExportedName {
  readonly name: string;
  readonly declarations: readonly string[];
}

/**
 * What each module exports, sorted by name. `entries` are absolute paths of emitted .d.ts files; a re-export is followed to its declaration.
 */
export function readSurfaces(root: string, entries: readonly string[]): ReadonlyMap<string, readonly ExportedName[]> {
  const config = `${root}/.surfaces.tsconfig.json`;
  const options = { module: 'nodenext', target: 'es2023', lib: ['es2023'], types: ['node'], skipLibCheck: true, noEmit: true };
  const extra: Readonly<Record<string, string>> = { [config]: JSON.stringify({ compilerOptions: options, files: entries }) };
  const api = new API({ cwd: root, fs: { readFile: (path) => extra[path], fileExists: (path) => (path in extra ? true : undefined) } });
  try {
    const project = api.updateSnapshot({ openProjects: [config] }).getProject(config);
    if (project === undefined) throw new Error('the TypeScript server did not open the project');
    return new Map(entries.map((entry) => [entry, exportsOf(project, entry)]));
  } finally {
    api.close();
  }
}

/** The golden's text: one paragraph a name. */
export function printSurface(specifier: string, names: readonly ExportedName[]): string {
  return `${[`# ${specifier}`, ...names.map((one) => one.declarations.join('\n'))].join('\n\n')}\n`;
}

function exportsOf(project: Project, entry: string): readonly ExportedName[] {
  const { checker } = project;
  const source = project.program.getSourceFile(entry);
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`${entry} is not a module`);
  return checker
    .getExportsOfModule(module)
    .map((symbol): ExportedName => {
      const target = (symbol.flags & SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
      if (target.declarations.length === 0) throw new Error(`${entry} exports ${symbol.name}, which is declared nowhere`);
      const declarations = target.declarations.map((handle) => printDeclaration(project, handle.resolve(project)));
      return {
        name: symbol.name,
        declarations: symbol.name === target.name ? declarations : [`export { ${target.name} as ${symbol.name} };`, ...declarations],
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A constant is declared by its `const x: T`, whose statement is two levels up. */
function printDeclaration(project: Project, node: Node | undefined): string {
  if (node === undefined) throw new Error('a declaration could not be read');
  const whole = node.kind === SyntaxKind.VariableDeclaration ? node.parent.parent : node;
  return stripComments(project.emitter.printNode(whole))
    .split('\n')
    .filter((line) => !/^\s*(private .*|#private;)?$/.test(line))
    .join('\n')
    .replace(/^export (declare )?/, '');
}

/** The printer keeps documentation comments; a surface is only what can be compiled against. Strings are left alone. */
function stripComments(text: string): string {
  return text.replace(
    /('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`)|\/\*[\s\S]*?\*\/|\/\/.*$/gm,
    (_, literal: string | undefined) => literal ?? '',
  );
}
