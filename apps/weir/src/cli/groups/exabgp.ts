import { type Command, Option } from 'commander';
import type { Entrypoints } from '../entrypoints.ts';
import { configOption, type GroupContext, text, type Values, withDaemonOptions, word } from '../options.ts';
import { DEFAULT_CONFIG } from '../paths.ts';

/** The process that ExaBGP runs. */
export function addExabgpCommand(program: Command, { done, color, io }: GroupContext, run: NonNullable<Entrypoints['exabgp']>): void {
  withDaemonOptions(
    program
      .command('exabgp')
      .summary('run as a process of ExaBGP')
      .description(
        'Reads what ExaBGP 4.2 or 5 prints to its processes with `encoder json`: the routes of the peers with `via: exabgp`. Where it may change nf_tables it is the whole daemon, with the control socket of the configuration; without that privilege, or with --socket, it hands the lines over to a daemon that runs. Commands for ExaBGP go to stdout, everything else to stderr.',
      )
      .addOption(configOption())
      .addOption(new Option('--socket <path>', 'hand the lines over to the daemon that listens there')),
  ).action(async (o: Values) => {
    const socket = text(o, 'socket');
    done(
      await run(
        {
          config: text(o, 'config') ?? DEFAULT_CONFIG,
          attached: socket !== undefined,
          socket,
          stateDirectory: text(o, 'stateDirectory'),
          netns: text(o, 'netns'),
          logLevel: word(o, 'logLevel', ['debug', 'info', 'warn', 'error']),
          logFormat: word(o, 'logFormat', ['auto', 'json', 'text']),
          color: color(),
        },
        io,
      ),
    );
  });
}
