import { printBashCompletion } from '../completion/bash.ts';
import { printFishCompletion } from '../completion/fish.ts';
import type { CommandNode } from '../completion/tree.ts';
import { printZshCompletion } from '../completion/zsh.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';

export type Shell = 'bash' | 'zsh' | 'fish';

/** Prints the script that completes commands and options in a shell. */
export async function completion(shell: Shell, tree: CommandNode, io: Io): Promise<ExitCode> {
  const print = { bash: printBashCompletion, zsh: printZshCompletion, fish: printFishCompletion }[shell];
  await io.out(print(tree));
  return EXIT.ok;
}
