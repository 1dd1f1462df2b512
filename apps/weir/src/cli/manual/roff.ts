import type { CommandNode, OptionNode } from '../completion/tree.ts';
import { EXIT_MEANINGS } from './exit-codes.ts';

/** A manual page of section 1 (man(7) macros). `global` are the options of the program itself. */
export function printManualPage(node: CommandNode, global: readonly OptionNode[], versionText: string): string {
  const title = node.path.replaceAll(' ', '-');
  const out = [
    `.TH "${title.toUpperCase()}" 1 "" "weir ${versionText}" "Weir manual"`,
    '.SH NAME',
    `${roff(title)} \\- ${roff(node.summary)}`,
    '.SH SYNOPSIS',
    `.B ${roff(node.path)}`,
    roff(node.usage),
    '.SH DESCRIPTION',
    roff(node.description),
  ];
  if (node.arguments.length > 0) {
    out.push('.SH ARGUMENTS');
    for (const a of node.arguments) out.push('.TP', `.I ${roff(a.name)}`, paragraph(a.description, a.choices, undefined, undefined));
  }
  out.push('.SH OPTIONS');
  for (const o of [...node.options, ...global]) {
    const value = o.value === undefined ? '' : ` \\fI${roff(o.value)}\\fR`;
    out.push(
      '.TP',
      `\\fB${roff(o.short ? `${o.short}, ` : '')}${roff(o.long)}\\fR${value}`,
      paragraph(o.description, o.choices, o.default, o.env),
    );
  }
  if (node.commands.length > 0) {
    out.push('.SH COMMANDS');
    for (const c of node.commands) out.push('.TP', `.B ${roff(c.path)}`, roff(c.summary));
  }
  out.push('.SH EXIT STATUS');
  for (const [code, meaning] of EXIT_MEANINGS) out.push('.TP', String(code), roff(meaning));
  return `${out.join('\n')}\n`;
}

function paragraph(text: string, choices: readonly string[], preset: string | undefined, env: string | undefined): string {
  const parts = [`${text.charAt(0).toUpperCase()}${text.slice(1)}.`];
  if (choices.length > 0) parts.push(`One of ${choices.join(', ')}.`);
  if (preset !== undefined) parts.push(`Default ${preset}.`);
  if (env !== undefined) parts.push(`Environment ${env}.`);
  return roff(parts.join(' '));
}

/** Backslashes and hyphens are roff's own; so are a dot or a quote at the start of a line. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}
