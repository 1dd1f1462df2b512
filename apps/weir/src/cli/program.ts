import { Argument, Command, CommanderError, Option } from 'commander';
import { UnjudgeableError } from '../compile/interpreter/unjudgeable.ts';
import type { Entrypoints } from './entrypoints.ts';
import { CliError, EXIT, type ExitCode } from './exit.ts';
import { addBlackholeCommands } from './groups/blackhole.ts';
import { addChangeCommands } from './groups/change.ts';
import { addDaemonCommands } from './groups/daemon.ts';
import { addDecodeCommands } from './groups/decode.ts';
import { addExabgpCommand } from './groups/exabgp.ts';
import { addExplainCommands } from './groups/explain.ts';
import { addFeedCommands } from './groups/feed.ts';
import { addFileCommands } from './groups/files.ts';
import { addFilterCommands } from './groups/filter.ts';
import { addFlowCommands } from './groups/flow.ts';
import { addImportCommands } from './groups/import.ts';
import { addNetworkCommands } from './groups/network.ts';
import { addObserveCommand } from './groups/observe.ts';
import { addReplayCommand } from './groups/replay.ts';
import type { Io } from './io.ts';
import { configOption, count, type GroupContext, outputOption, text, type Values, withDaemonOptions, word } from './options.ts';
import { DEFAULT_CONFIG } from './paths.ts';
import { escapeControl } from './render/escape.ts';
import { type ColorChoice, type Palette, palette } from './render/paint.ts';
import { version } from './version.ts';

/**
 * The command tree. Its actions load what they need when they run, so that a small command does not pay for a large one. An action's exit code goes to `done`.
 */
export function buildProgram(io: Io, entrypoints: Entrypoints, done: (code: ExitCode) => void): Command {
  const program = new Command('weir')
    .summary('a firewall whose rules arrive as routes')
    .description('Fills nf_tables sets from BGP routes: what is announced is open, what is withdrawn is closed.')
    .addOption(new Option('--color <when>', 'colour the output').choices(['auto', 'always', 'never']).default('auto').env('WEIR_COLOR'))
    .version(`weir ${version()}`, '-V, --version', 'print the version')
    .helpCommand(false)
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true });

  const color = (): ColorChoice => word(program.opts(), 'color', ['auto', 'always', 'never']);
  const outPalette = (): Palette => palette(color(), io.outIsTerminal, io.env);
  const errPalette = (): Palette => palette(color(), io.errIsTerminal, io.env);
  const context: GroupContext = { io, done, color, outPalette, errPalette };

  const { run, exabgp, restore, clear, expire, demo } = entrypoints;
  if (run) {
    withDaemonOptions(
      program
        .command('run')
        .summary('run the daemon')
        .description('Speaks BGP, keeps the kernel in step with what is announced, and serves the control socket. Stays in the foreground.')
        .addOption(configOption())
        .addOption(new Option('--socket <path>', 'control socket').env('WEIR_SOCKET')),
    )
      .option('--clear', 'at the end, take out of the kernel what Weir added')
      .action(async (o: Values) => {
        done(
          await run(
            {
              config: text(o, 'config') ?? DEFAULT_CONFIG,
              socket: text(o, 'socket'),
              stateDirectory: text(o, 'stateDirectory'),
              netns: text(o, 'netns'),
              logLevel: word(o, 'logLevel', ['debug', 'info', 'warn', 'error']),
              logFormat: word(o, 'logFormat', ['auto', 'json', 'text']),
              clear: o['clear'] === true,
              color: color(),
            },
            io,
          ),
        );
      });
  }

  addFileCommands(program, context);
  addDaemonCommands(program, context);
  addObserveCommand(program, context);
  addChangeCommands(program, context);
  addExplainCommands(program, context);
  addReplayCommand(program, context);

  if (exabgp) addExabgpCommand(program, context, exabgp);

  if (restore) {
    program
      .command('restore')
      .summary('load the last saved state into the kernel')
      .description(
        'For boot, before links come up: puts the owned table and its members back as they last were, and attaches the eBPF programs of the rules that were confirmed last. Changes nothing that is there already; what waits for an interface is said and left to the daemon. Refused while the daemon runs, which does all of it itself.',
      )
      .addOption(configOption())
      .addOption(new Option('--socket <path>', 'control socket, to see whether a daemon runs').env('WEIR_SOCKET'))
      .addOption(new Option('--state-directory <directory>', 'where the saved state is').env('WEIR_STATE_DIRECTORY'))
      .addOption(new Option('--netns <name>', 'network namespace whose nf_tables is managed').env('WEIR_NETNS'))
      .action(async (o: Values) => {
        const options = {
          config: text(o, 'config') ?? DEFAULT_CONFIG,
          socket: text(o, 'socket'),
          stateDirectory: text(o, 'stateDirectory'),
          netns: text(o, 'netns'),
          color: color(),
        };
        done(await restore(options, io));
      });
  }

  if (clear) {
    program
      .command('clear')
      .summary('take everything of Weir out of the kernel')
      .description(
        "Removes what any version of Weir has put into the kernel and nothing else: eBPF programs with what they are attached to and pinned, the owned table, the elements that Weir added to the user's sets, and its rules and routes of the routing policy. For when the daemon is not running; refused while it is. What is on disk stays.",
      )
      .addOption(configOption())
      .addOption(new Option('--socket <path>', 'control socket, to see whether a daemon runs').env('WEIR_SOCKET'))
      .addOption(new Option('--state-directory <directory>', 'where the ledger is').env('WEIR_STATE_DIRECTORY'))
      .addOption(new Option('--netns <name>', 'network namespace whose nf_tables is managed').env('WEIR_NETNS'))
      .option('--ebpf', 'only what is eBPF; nf_tables stays')
      .action(async (o: Values) => {
        const options = {
          config: text(o, 'config') ?? DEFAULT_CONFIG,
          socket: text(o, 'socket'),
          stateDirectory: text(o, 'stateDirectory'),
          netns: text(o, 'netns'),
          ebpfOnly: o['ebpf'] === true,
        };
        done(await clear(options, io));
      });
  }

  if (expire) {
    // For the daemon's own use, beside a change that has to be confirmed.
    program
      .command('expire', { hidden: true })
      .summary('take an unconfirmed change back')
      .description('Waits until a change should have been confirmed, and takes it back when it was not.')
      .requiredOption('--state-directory <directory>', 'where the history is')
      .requiredOption('--socket <path>', 'control socket of the daemon')
      .option('--netns <name>', 'network namespace whose nf_tables is managed')
      .requiredOption('--generation <number>', 'the change', count)
      .requiredOption('--due <ms>', 'when it should have been confirmed, in milliseconds since the machine was started', Number)
      .action(async (o: Values) => {
        const [generation, due] = [Number(o['generation']), Number(o['due'])];
        const [stateDirectory, socket] = [text(o, 'stateDirectory') ?? '', text(o, 'socket') ?? ''];
        done(await expire({ stateDirectory, socket, netns: text(o, 'netns'), generation, due }, io));
      });
  }

  addDecodeCommands(program, context);
  addFlowCommands(program, context);
  addBlackholeCommands(program, context);
  addNetworkCommands(program, context);
  addFeedCommands(program, context);
  addImportCommands(program, context);
  addFilterCommands(program, context);

  program
    .command('completion')
    .summary('print a completion script')
    .description('Prints the script that completes commands and options in a shell.')
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: 'bash' | 'zsh' | 'fish') => {
      const [{ completion }, { commandTree }] = await Promise.all([import('./commands/completion.ts'), import('./completion/tree.ts')]);
      done(await completion(shell, commandTree(program), io));
    });

  if (demo) {
    program
      .command('demo')
      .summary('show the main job in namespaces of its own')
      .description(
        'Builds hosts, links and peers in network namespaces, announces and withdraws a service, makes real connections, and removes everything.',
      )
      .addOption(outputOption())
      .addOption(
        new Option('--peers <which>', "auto uses FRR and GoBGP where they are installed; own is Weir's own speaker alone")
          .choices(['auto', 'own'])
          .default('auto'),
      )
      .action(async (o: Values) =>
        done(await demo({ color: color(), output: word(o, 'output', ['text', 'json']), peers: word(o, 'peers', ['auto', 'own']) }, io)),
      );
  }

  program
    .command('version')
    .summary('print the version')
    .description('Prints the version.')
    .addOption(outputOption())
    .action(async (o: Values) => {
      const { printVersion } = await import('./commands/version.ts');
      done(await printVersion(word(o, 'output', ['text', 'json']), io));
    });

  settle(program, io);
  return program;
}

/** Runs a command line (without the program's name) and gives its exit code. Never throws for what the user did. */
export async function runProgram(args: readonly string[], io: Io, entrypoints: Entrypoints): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const program = buildProgram(io, entrypoints, (result) => {
    code = result;
  });
  const paint = palette('auto', io.errIsTerminal, io.env);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof UnjudgeableError) {
      io.err(`${paint.red('error')}: ${escapeControl(error.message)}\n`);
      return EXIT.unsupported;
    }
    if (error instanceof CliError) {
      io.err(`${paint.red('error')}: ${escapeControl(error.message)}\n`);
      // Details are diagnostics, printed (and made safe) by the daemon that found them.
      for (const detail of error.details) io.err(`${detail}\n`);
      return error.code;
    }
    throw error;
  }
}

/** Commander throws instead of ending the process, and writes where `io` says, in every command. */
function settle(command: Command, io: Io): void {
  command.exitOverride();
  command.configureOutput({ writeOut: (t) => void io.out(t), writeErr: (t) => io.err(escapeLines(t)) });
  for (const inner of command.commands) settle(inner, io);
}

function escapeLines(message: string): string {
  return message.split('\n').map(escapeControl).join('\n');
}
