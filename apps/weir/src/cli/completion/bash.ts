import { type CommandNode, flatten } from './tree.ts';

/** A completion script for bash: `source <(weir completion bash)`. */
export function printBashCompletion(tree: CommandNode): string {
  const all = flatten(tree);
  const global = tree.options.flatMap((o) => [o.long, ...(o.short ? [o.short] : [])]);
  const descend = all.flatMap((node) => node.commands.map((child) => `      '${node.path} ${child.name}') path='${child.path}' ;;`));
  const values = all.flatMap((node) =>
    [...node.options, ...(node === tree ? [] : tree.options)]
      .filter((o) => o.value !== undefined)
      .map((o) => {
        const keys = [o.long, ...(o.short ? [o.short] : [])].map((flag) => `'${node.path}:${flag}'`).join(' | ');
        const words = o.files ? 'compgen -f -- "$cur"' : `compgen -W '${o.choices.join(' ')}' -- "$cur"`;
        return `    ${keys}) mapfile -t COMPREPLY < <(${words}); return ;;`;
      }),
  );
  const words = all.map((node) => {
    const own = [
      ...node.commands.map((c) => c.name),
      ...node.arguments.flatMap((a) => a.choices),
      ...node.options.flatMap((o) => [o.long, ...(o.short ? [o.short] : [])]),
      ...(node === tree ? [] : global),
      '--help',
    ];
    const files = node.arguments.some((a) => a.files);
    return `    '${node.path}') words='${[...new Set(own)].join(' ')}'; files=${files ? 1 : 0} ;;`;
  });
  return `# bash completion for ${tree.name}
_${tree.name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path='${tree.name}' words='' files=0 i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path \${COMP_WORDS[i]}" in
${descend.join('\n')}
    esac
  done
  case "$path:$prev" in
${values.join('\n')}
  esac
  case "$path" in
${words.join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
  if ((files)); then
    local names
    mapfile -t names < <(compgen -f -- "$cur")
    COMPREPLY+=("\${names[@]}")
    compopt -o filenames 2>/dev/null
  fi
}
complete -F _${tree.name} ${tree.name}
`;
}
