import { type CommandNode, flatten, type OptionNode } from './tree.ts';

/** A completion script for zsh: `weir completion zsh > "\${fpath[1]}/_weir"`. */
export function printZshCompletion(tree: CommandNode): string {
  const functions = flatten(tree).map((node) => printFunction(node, node === tree ? [] : tree.options));
  return `#compdef ${tree.name}\n\n${functions.join('\n')}\nif [ "$funcstack[1]" = "_${tree.name}" ]; then\n  _${tree.name} "$@"\nelse\n  compdef _${tree.name} ${tree.name}\nfi\n`;
}

function functionName(path: string): string {
  return `_${path.replaceAll(/[ -]/g, '_')}`;
}

function printFunction(node: CommandNode, inherited: readonly OptionNode[]): string {
  const specs = [...node.options, ...inherited].flatMap(printOption);
  specs.push(`'(- *)'{-h,--help}'[show help]'`);
  if (node.commands.length === 0) {
    node.arguments.forEach((a, i) => {
      const action = a.choices.length > 0 ? `(${a.choices.join(' ')})` : a.files ? '_files' : '';
      specs.push(`'${a.variadic ? '*' : String(i + 1)}${a.required ? '' : ':'}:${quoted(a.name)}:${action}'`);
    });
    return `${functionName(node.path)}() {\n  _arguments -s \\\n${specs.map((s) => `    ${s}`).join(' \\\n')}\n}\n`;
  }
  const commands = node.commands.map((c) => `    '${c.name}:${quoted(c.summary)}'`).join('\n');
  const cases = node.commands.map((c) => `        ${c.name}) ${functionName(c.path)} ;;`).join('\n');
  return `${functionName(node.path)}() {
  local line state
  local -a commands
  commands=(
${commands}
  )
  _arguments -s -C \\
${specs.map((s) => `    ${s}`).join(' \\\n')} \\
    '1:command:->command' \\
    '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $line[1] in
${cases}
      esac
      ;;
  esac
}
`;
}

function printOption(o: OptionNode): readonly string[] {
  const action =
    o.value === undefined ? '' : `:${quoted(o.value)}:${o.choices.length > 0 ? `(${o.choices.join(' ')})` : o.files ? '_files' : ''}`;
  const text = `[${quoted(o.description)}]${action}`;
  return [o.long, ...(o.short ? [o.short] : [])].map((flag) => `'${flag}${text}'`);
}

/** Inside single quotes and an _arguments specification. */
function quoted(text: string): string {
  return text.replaceAll("'", "'\\''").replaceAll(/[[\]:]/g, (c) => `\\${c}`);
}
