import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildProgram, type CommandNode, commandTree, EXIT, flatten, type Io } from '../../apps/weir/src/cli/index.ts';
import { pageName, printMarkdownPage } from '../../apps/weir/src/cli/manual/markdown.ts';
import { printManualPage } from '../../apps/weir/src/cli/manual/roff.ts';
import { version } from '../../apps/weir/src/cli/version.ts';
import { CODES, describeFile, type ShapeDoc } from '../../apps/weir/src/sources/config/index.ts';
import { describePolicy } from '../../apps/weir/src/sources/policy/index.ts';
import { describeTests } from '../../apps/weir/src/sources/tests/index.ts';
import type { Finding } from '../run/finding.ts';
import { keyTables, printConfigurationPage } from './configuration-page.ts';

const PAGES = 'docs/cli';
const MANUAL = 'docs/man';
const INTRO = 'docs/cli/intro';
const POLICY_INTRO = 'tools/docs/policy-intro.md';
const TESTING_INTRO = 'tools/docs/testing-intro.md';

/** Compares docs/configuration.md, docs/policy.md, docs/testing.md, docs/cli/*.md and docs/man/*.1 with what the source says; with `update` writes them. */
export function checkDocs(root: string, update: boolean): readonly Finding[] {
  const findings: Finding[] = [];
  const tree = programTree();
  const wanted = new Map<string, string>([
    ['docs/configuration.md', printConfigurationPage(describeFile(), CODES)],
    ['docs/policy.md', withTables(root, POLICY_INTRO, describePolicy())],
    ['docs/testing.md', withTables(root, TESTING_INTRO, describeTests())],
  ]);
  const commands = flatten(tree).filter((node) => node !== tree);
  for (const node of commands) {
    const introFile = join(root, INTRO, pageName(node));
    const intro = existsSync(introFile) ? readFileSync(introFile, 'utf8') : '';
    wanted.set(`${PAGES}/${pageName(node)}`, printMarkdownPage(node, intro, tree.options));
    wanted.set(`${MANUAL}/${node.path.replaceAll(' ', '-')}.1`, printManualPage(node, tree.options, version()));
  }
  wanted.set(`${PAGES}/README.md`, printIndex(commands));
  wanted.set(`${MANUAL}/weir.1`, printManualPage(tree, [], version()));
  for (const name of list(join(root, INTRO))) {
    if (!wanted.has(`${PAGES}/${name}`)) findings.push({ file: `${INTRO}/${name}`, message: 'introduces no command' });
  }
  for (const [file, text] of wanted) {
    const path = join(root, file);
    if (update) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    } else if (!existsSync(path) || readFileSync(path, 'utf8') !== text)
      findings.push({ file, message: 'is out of date: npm run docs writes it' });
  }
  for (const folder of [PAGES, MANUAL]) {
    for (const name of list(join(root, folder))) {
      const file = `${folder}/${name}`;
      if (wanted.has(file) || !/\.(md|1)$/.test(name)) continue;
      if (update) rmSync(join(root, file));
      else findings.push({ file, message: 'is about a command that is gone: npm run docs removes it' });
    }
  }
  return findings;
}

/** An introduction with a table for each mapping of the file that it is about. */
function withTables(root: string, intro: string, file: ShapeDoc): string {
  return `${readFileSync(join(root, intro), 'utf8')}\n${keyTables(file).join('\n')}`;
}

function list(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder, { withFileTypes: true }).flatMap((e) => (e.isFile() ? [e.name] : [])) : [];
}

/** Every command, those of main.ts too. */
function programTree(): CommandNode {
  const nothing = async (): Promise<typeof EXIT.ok> => EXIT.ok;
  const io: Io = {
    out: async () => undefined,
    err: () => undefined,
    stdin: process.stdin,
    outIsTerminal: false,
    errIsTerminal: false,
    columns: 0,
    env: {},
    signal: new AbortController().signal,
  };
  return commandTree(buildProgram(io, { run: nothing, exabgp: nothing, restore: nothing, clear: nothing, demo: nothing }, () => undefined));
}

function printIndex(commands: readonly CommandNode[]): string {
  const rows = commands.filter((c) => c.commands.length === 0).map((c) => `| [\`${c.path}\`](${pageName(c)}) | ${c.summary} |`);
  return `# The command line\n\nData goes to standard output, diagnostics and messages to standard error. What prints data takes \`-o json\`: one object with a \`format_version\`, to which fields are only ever added. A flag stands above the environment (\`WEIR_*\`), and that above the configuration file. What peers or files contain is printed with control characters escaped.\n\n| command | does |\n|---|---|\n${rows.join('\n')}\n`;
}
