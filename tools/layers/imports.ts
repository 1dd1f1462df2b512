import { type Node, SyntaxKind } from 'typescript/unstable/ast';
import { API } from 'typescript/unstable/sync';

/** One module that a file names. `specifier` is undefined for a dynamic import of something computed. Line is 1-based. */
export interface Import {
  readonly file: string;
  readonly line: number;
  readonly specifier: string | undefined;
}

/**
 * Every import of every file, found by the TypeScript parser: static, type-only, `import x = require()`, re-exports, `import('x').T` types,
 * dynamic imports, module augmentations. Nothing is resolved or checked. `files` are relative to `root`; `virtual` replaces the disk in tests.
 */
export function findImports(root: string, files: readonly string[], virtual: Readonly<Record<string, string>> = {}): readonly Import[] {
  const config = `${root}/.layers.tsconfig.json`;
  const options = { module: 'nodenext', target: 'esnext', allowJs: true, noResolve: true, noLib: true, types: [] };
  const extra: Record<string, string> = { ...virtual, [config]: JSON.stringify({ compilerOptions: options, files }) };
  const api = new API({ cwd: root, fs: { readFile: (path) => extra[path], fileExists: (path) => (path in extra ? true : undefined) } });
  try {
    const project = api.updateSnapshot({ openProjects: [config] }).getProject(config);
    if (project === undefined) throw new Error('the TypeScript server did not open the project');
    return files.flatMap((file) => {
      const source = project.program.getSourceFile(`${root}/${file}`);
      if (source === undefined) throw new Error(`the TypeScript server did not read ${file}`);
      const at = (node: Node): number => source.getLineAndCharacterOfPosition(node.end).line + 1;
      const named = [...source.imports, ...source.moduleAugmentations].map((node) => ({ file, line: at(node), specifier: textOf(node) }));
      const computed = computedImports(source).map((node) => ({ file, line: at(node), specifier: undefined }));
      return [...named, ...computed];
    });
  } finally {
    api.close();
  }
}

function textOf(node: Node): string {
  return (node as Node & { readonly text: string }).text;
}

/** `import(x)` where x is not a plain string: the program does not list those. */
function computedImports(source: Node): readonly Node[] {
  const found: Node[] = [];
  const visit = (node: Node): void => {
    if (node.kind === SyntaxKind.CallExpression) {
      const call = node as Node & { readonly expression: Node; readonly arguments: readonly Node[] };
      const kind = call.arguments[0]?.kind;
      const plain = kind === SyntaxKind.StringLiteral || kind === SyntaxKind.NoSubstitutionTemplateLiteral;
      if (call.expression.kind === SyntaxKind.ImportKeyword && !plain) found.push(node);
    }
    node.forEachChild(visit);
  };
  visit(source);
  return found;
}
