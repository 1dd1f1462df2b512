import type { Command } from 'commander';

/** A command as completion scripts and manual pages see it. */
export interface CommandNode {
  readonly name: string;
  /** From the program's name on: `weir decode bgp`. */
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly usage: string;
  readonly arguments: readonly ArgumentNode[];
  readonly options: readonly OptionNode[];
  readonly commands: readonly CommandNode[];
}

export interface ArgumentNode {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  readonly variadic: boolean;
  readonly choices: readonly string[];
  readonly files: boolean;
}

export interface OptionNode {
  readonly long: string;
  readonly short: string | undefined;
  /** `FILE` in `--config FILE`; undefined for a switch. */
  readonly value: string | undefined;
  readonly description: string;
  readonly choices: readonly string[];
  readonly default: string | undefined;
  readonly env: string | undefined;
  readonly files: boolean;
}

/** The tree below a command. */
export function commandTree(command: Command, parent = ''): CommandNode {
  const path = parent === '' ? command.name() : `${parent} ${command.name()}`;
  return {
    name: command.name(),
    path,
    summary: command.summary() || command.description(),
    description: command.description(),
    usage: command.usage(),
    arguments: command.registeredArguments.map((a) => ({
      name: a.name(),
      description: a.description,
      required: a.required,
      variadic: a.variadic,
      choices: a.argChoices ?? [],
      files: isFile(a.name()),
    })),
    options: command.options
      .filter((o) => !o.hidden && o.long)
      .map((o) => ({
        long: o.long ?? '',
        short: o.short,
        value: /[<[]([^>\]]+)/.exec(o.flags)?.[1],
        description: o.description,
        choices: o.argChoices ?? [],
        default: o.defaultValue === undefined ? undefined : String(o.defaultValue),
        env: o.envVar,
        files: isFile(/[<[]([^>\]]+)/.exec(o.flags)?.[1] ?? ''),
      })),
    commands: command.commands.map((c) => commandTree(c, path)),
  };
}

function isFile(name: string): boolean {
  return /^(FILE|PATH|DIRECTORY)/i.test(name);
}

/** The command and everything below it, depth first. */
export function flatten(node: CommandNode): readonly CommandNode[] {
  return [node, ...node.commands.flatMap(flatten)];
}
