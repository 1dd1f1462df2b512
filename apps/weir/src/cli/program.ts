import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Entrypoints } from './entrypoints.ts';
import { CliError, EXIT, type ExitCode } from './exit.ts';
import type { Io } from './io.ts';
import { DEFAULT_CONFIG } from './paths.ts';
import { escapeControl } from './render/escape.ts';
import { type ColorChoice, type Palette, palette } from './render/paint.ts';
import { version } from './version.ts';

type Values = { readonly [name: string]: unknown };

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
  const view = (o: Values): { output: 'text' | 'json'; palette: Palette; socket: string | undefined; config: string | undefined } => ({
    output: word(o, 'output', ['text', 'json']),
    palette: outPalette(),
    socket: text(o, 'socket'),
    config: text(o, 'config'),
  });

  const { run, restore, demo } = entrypoints;
  if (run) {
    program
      .command('run')
      .summary('run the daemon')
      .description('Speaks BGP, keeps the kernel in step with what is announced, and serves the control socket. Stays in the foreground.')
      .addOption(configOption())
      .addOption(new Option('--socket <path>', 'control socket').env('WEIR_SOCKET'))
      .addOption(new Option('--state-directory <directory>', 'where the ledger and saved sets are kept').env('WEIR_STATE_DIRECTORY'))
      .addOption(new Option('--netns <name>', 'network namespace whose nf_tables is managed').env('WEIR_NETNS'))
      .addOption(
        new Option('--log-level <level>', 'least level that is logged')
          .choices(['debug', 'info', 'warn', 'error'])
          .default('info')
          .env('WEIR_LOG_LEVEL'),
      )
      .addOption(
        new Option('--log-format <format>', 'auto is text on a terminal')
          .choices(['auto', 'json', 'text'])
          .default('auto')
          .env('WEIR_LOG_FORMAT'),
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

  program
    .command('check')
    .summary('check configuration files')
    .description('Reports every mistake of each file in one pass, with its place. Exit code 2 when there is one.')
    .argument('<file...>', 'files to check, each by itself; - is standard input')
    .addOption(outputOption('sarif'))
    .action(async (files: readonly string[], o: Values) => {
      const { check } = await import('./commands/check.ts');
      done(await check(files, { output: word(o, 'output', ['text', 'json', 'sarif']), palette: errPalette() }, io));
    });

  program
    .command('setup')
    .summary('print the nft text that a configuration needs')
    .description("Prints what makes the user's sets that a configuration fills, and the table that Weir will own. Changes nothing.")
    .addOption(configOption())
    .option('--print', 'print to standard output (the only action)')
    .addOption(outputOption())
    .action(async (o: Values) => {
      const { setup } = await import('./commands/setup.ts');
      const options = {
        config: text(o, 'config') ?? DEFAULT_CONFIG,
        output: word(o, 'output', ['text', 'json'] as const),
        palette: errPalette(),
      };
      done(await setup(options, io));
    });

  daemonCommand(program, 'status')
    .summary('show the state of the daemon')
    .description('Sessions, sets, commits, latencies and what is wrong.')
    .action(async (o: Values) => {
      const { status } = await import('./commands/status.ts');
      done(await status(view(o), io));
    });

  daemonCommand(program, 'peers')
    .summary('show the BGP peers')
    .description('Each peer with its state, whether it has converged (said all that it has), its routes and its last error.')
    .action(async (o: Values) => {
      const { peers } = await import('./commands/peers.ts');
      done(await peers(view(o), io));
    });

  daemonCommand(program, 'routes')
    .summary('show routes')
    .description('Routes that are kept: those that a set asks for, and all of peers with keep_all.')
    .argument('[prefix]', 'only this prefix')
    .option('--longer', 'with a prefix: also what lies inside it')
    .option('--peer <name>', 'only from this peer')
    .option('--set <name>', 'only what fills this set')
    .addOption(new Option('--family <family>', 'only one address family').choices(['ipv4', 'ipv6']))
    .option('--limit <count>', 'at most so many', count)
    .action(async (prefix: string | undefined, o: Values) => {
      const { routes } = await import('./commands/routes.ts');
      const family = o['family'] === undefined ? undefined : word(o, 'family', ['ipv4', 'ipv6'] as const);
      const limit = typeof o['limit'] === 'number' ? o['limit'] : undefined;
      done(
        await routes(prefix, { ...view(o), peer: text(o, 'peer'), set: text(o, 'set'), family, longer: o['longer'] === true, limit }, io),
      );
    });

  daemonCommand(program, 'sets')
    .summary('show sets and their members')
    .description('All sets; or the members of one, each with the routes that put it there.')
    .argument('[name]', 'a set')
    .option('--refused', 'what the guard of the set refused, by reason')
    .option('--watch', 'then print changes as they come, until interrupted')
    .action(async (name: string | undefined, o: Values, command: Command) => {
      if (o['refused'] === true && name === undefined && o['watch'] !== true) command.error('error: --refused needs the name of a set');
      const { sets } = await import('./commands/sets.ts');
      done(await sets(name, { ...view(o), refused: o['refused'] === true, watch: o['watch'] === true }, io));
    });

  daemonCommand(program, 'reload')
    .summary('read the configuration again')
    .description(
      'Applies only the difference. A file with mistakes changes nothing, and they are printed. The same as SIGHUP, with an answer.',
    )
    .action(async (o: Values) => {
      const { reload } = await import('./commands/reload.ts');
      done(await reload(view(o), io));
    });

  if (restore) {
    program
      .command('restore')
      .summary('load the last saved state into the kernel')
      .description(
        'For boot, before links come up: puts the owned table and its members back as they last were. Changes nothing that is there already.',
      )
      .addOption(configOption())
      .addOption(new Option('--state-directory <directory>', 'where the saved state is').env('WEIR_STATE_DIRECTORY'))
      .addOption(new Option('--netns <name>', 'network namespace whose nf_tables is managed').env('WEIR_NETNS'))
      .action(async (o: Values) => {
        const options = {
          config: text(o, 'config') ?? DEFAULT_CONFIG,
          stateDirectory: text(o, 'stateDirectory'),
          netns: text(o, 'netns'),
          color: color(),
        };
        done(await restore(options, io));
      });
  }

  const decode = program.command('decode').summary('decode messages').description('Decodes messages of a protocol.').helpCommand(false);
  decode
    .command('bgp')
    .summary('decode BGP messages')
    .description('One JSON object for each message, with what RFC 7606 asks for. Messages are hex, one a line, or in an MRT or pcap file.')
    .argument('[file]', 'file to read; - is standard input', '-')
    .addOption(new Option('--session <kind>', 'kind of session the messages are from').choices(['ebgp', 'ibgp']).default('ebgp'))
    .addOption(new Option('--as4 <yes>', 'whether AS numbers have four octets').choices(['true', 'false']).default('true'))
    .addOption(new Option('--add-path <family>', 'a family whose prefixes carry path identifiers; may be given again').argParser(append))
    .addOption(new Option('--format <format>', 'what the file is').choices(['hex', 'mrt', 'pcap']).default('hex'))
    .action(async (file: string, o: Values) => {
      const { decodeBgp } = await import('./commands/decode-bgp.ts');
      const options = {
        session: word(o, 'session', ['ebgp', 'ibgp'] as const),
        as4: o['as4'] === 'true',
        addPath: Array.isArray(o['addPath']) ? o['addPath'].map(String) : [],
        format: word(o, 'format', ['hex', 'mrt', 'pcap'] as const),
      };
      done(await decodeBgp(file, options, io));
    });

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

function daemonCommand(program: Command, name: string): Command {
  return program
    .command(name)
    .addOption(outputOption())
    .addOption(new Option('--socket <path>', 'control socket of the daemon').env('WEIR_SOCKET'))
    .addOption(new Option('-c, --config <file>', 'configuration that names the socket').env('WEIR_CONFIG'));
}

function configOption(): Option {
  return new Option('-c, --config <file>', 'configuration file').env('WEIR_CONFIG').default(DEFAULT_CONFIG);
}

function outputOption(...more: readonly string[]): Option {
  return new Option('-o, --output <format>', 'form of the output').choices(['text', 'json', ...more]).default('text');
}

function append(value: string, before: unknown): readonly string[] {
  return [...(Array.isArray(before) ? before.map(String) : []), value];
}

function count(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError('a number from 1 to 999999999 is needed');
  return Number(value);
}

function text(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}

/** The value of an option with choices: commander has checked it, this gives it its type. */
function word<W extends string>(values: Values, name: string, words: readonly [W, ...W[]]): W {
  return words.find((w) => w === values[name]) ?? words[0];
}
