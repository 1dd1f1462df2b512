import type { CommandNode, OptionNode } from '../completion/tree.ts';
import { EXIT_MEANINGS } from './exit-codes.ts';

/** The reference page of a command. `intro` is text written by hand; `global` are the options of the program itself. */
export function printMarkdownPage(node: CommandNode, intro: string, global: readonly OptionNode[]): string {
  const out = [`# ${node.path}`, '', node.description, ''];
  if (intro.trim() !== '') out.push(intro.trim(), '');
  out.push('## Synopsis', '', '```', `${node.path} ${node.usage}`, '```', '');
  if (node.arguments.length > 0) {
    out.push('## Arguments', '', '| argument | |', '|---|---|');
    for (const a of node.arguments)
      out.push(`| \`${a.name}\`${a.variadic ? '...' : ''} | ${sentence(a.description, a.choices, undefined, undefined)} |`);
    out.push('');
  }
  const options = [...node.options, ...global];
  out.push('## Options', '', '| option | |', '|---|---|');
  for (const o of options) out.push(`| ${flags(o)} | ${sentence(o.description, o.choices, o.default, o.env)} |`);
  out.push('| `-h, --help` | Show help. |', '');
  if (node.commands.length > 0) {
    out.push('## Commands', '');
    for (const c of node.commands) out.push(`- [\`${c.path}\`](${pageName(c)}): ${c.summary}`);
    out.push('');
  }
  out.push('## Exit codes', '', '| code | |', '|---|---|');
  for (const [code, meaning] of EXIT_MEANINGS) out.push(`| ${code} | ${meaning} |`);
  return `${out.join('\n')}\n`;
}

/** `decode-bgp.md` for `weir decode bgp`. */
export function pageName(node: CommandNode): string {
  return `${node.path.split(' ').slice(1).join('-') || 'weir'}.md`;
}

function flags(o: OptionNode): string {
  const value = o.value === undefined ? '' : ` ${o.value.toUpperCase()}`;
  return `\`${o.short ? `${o.short}, ` : ''}${o.long}${value}\``;
}

function sentence(text: string, choices: readonly string[], preset: string | undefined, env: string | undefined): string {
  const parts = [`${text.charAt(0).toUpperCase()}${text.slice(1)}.`];
  if (choices.length > 0) parts.push(`One of ${choices.map((c) => `\`${c}\``).join(', ')}.`);
  if (preset !== undefined) parts.push(`Default \`${preset}\`.`);
  if (env !== undefined) parts.push(`Environment \`${env}\`.`);
  return parts.join(' ').replaceAll('|', '\\|');
}
