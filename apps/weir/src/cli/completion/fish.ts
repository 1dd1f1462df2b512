import { type CommandNode, flatten } from './tree.ts';

/** A completion script for fish: `weir completion fish | source`. */
export function printFishCompletion(tree: CommandNode): string {
  const lines = [`# fish completion for ${tree.name}`, `complete -c ${tree.name} -f`];
  for (const node of flatten(tree)) {
    const condition = conditionOf(tree, node);
    for (const child of node.commands) lines.push(`complete -c ${tree.name} ${condition}-a ${child.name} -d '${quoted(child.summary)}'`);
    for (const argument of node.arguments) {
      if (argument.choices.length > 0) lines.push(`complete -c ${tree.name} ${condition}-a '${argument.choices.join(' ')}'`);
      if (argument.files) lines.push(`complete -c ${tree.name} ${condition}-F`);
    }
    for (const o of node.options) {
      const flags = `${o.short ? `-s ${o.short.slice(1)} ` : ''}-l ${o.long.slice(2)}`;
      const value = o.value === undefined ? '' : o.choices.length > 0 ? ` -xa '${o.choices.join(' ')}'` : o.files ? ' -rF' : ' -x';
      lines.push(`complete -c ${tree.name} ${node === tree ? '' : condition}${flags}${value} -d '${quoted(o.description)}'`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** When the words so far name this command and none below it. */
function conditionOf(tree: CommandNode, node: CommandNode): string {
  const words = node.path.split(' ').slice(1);
  const below = node.commands.map((c) => c.name).join(' ');
  if (node === tree) return `-n '__fish_use_subcommand' `;
  const seen = words.map((w) => `__fish_seen_subcommand_from ${w}`);
  if (below !== '') seen.push(`not __fish_seen_subcommand_from ${below}`);
  return `-n '${seen.join('; and ')}' `;
}

function quoted(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
}
