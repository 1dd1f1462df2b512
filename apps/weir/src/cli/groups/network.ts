import type { Command } from 'commander';
import { append, count, daemonCommand, type GroupContext, text, timeOrSpan, type Values, viewOptions } from '../options.ts';
import { addSyncCommand } from './network-sync.ts';

const TABLE = '--table <name>';
const UNTIL = ['--until <time>', 'a time (2026-12-01T00:00:00Z) or how long (90s, 15m, 2h, 7d)'] as const;

/** Commands about tables of networks that other firewalls get. */
export function addNetworkCommands(program: Command, context: GroupContext): void {
  const { done, io } = context;
  const network = program
    .command('network')
    .summary('tables of networks that are distributed')
    .description(
      'Tables of addresses that other firewalls get as routes (distribute: in the configuration). What is changed is on disk before the command ends.',
    )
    .helpCommand(false);

  for (const [name, summary, description] of [
    ['add', 'put prefixes into tables', 'Puts prefixes into tables. One that is there already has the comment and the time from now on.'],
    ['replace', 'put prefixes into tables and out of all others', 'Prefixes are in these tables from now on, and in no others.'],
  ] as const) {
    daemonCommand(network, name)
      .summary(summary)
      .description(description)
      .argument('<prefix...>', 'as 203.0.113.0/24; an address by itself is a host')
      .option(TABLE, 'a table; may be given again', append, [])
      .option(
        '--community <community>',
        'a community: of a table, or a table without a name (65000:9, 64512:1:2); may be given again',
        append,
        [],
      )
      .option(UNTIL[0], UNTIL[1], timeOrSpan)
      .option('--comment <text>', 'a remark for network show')
      .action(async (prefixes: string[], o: Values) => {
        const { networkAdd } = await import('../commands/network.ts');
        const tables = [...(o['table'] as string[]), ...(o['community'] as string[])];
        const until = typeof o['until'] === 'number' ? o['until'] : undefined;
        done(await networkAdd(name, prefixes, { ...viewOptions(context, o), tables, until, comment: text(o, 'comment') }, io));
      });
  }

  daemonCommand(network, 'delete')
    .summary('take prefixes out of tables')
    .description('Takes prefixes out of tables, or of all that they are in. One that is in no table any more is withdrawn.')
    .argument('<prefix...>', 'as they were added')
    .option(TABLE, 'a table; may be given again', append, [])
    .option('--community <community>', 'as it was added; may be given again', append, [])
    .action(async (prefixes: string[], o: Values) => {
      const { networkDelete } = await import('../commands/network.ts');
      const tables = [...(o['table'] as string[]), ...(o['community'] as string[])];
      done(await networkDelete(prefixes, { ...viewOptions(context, o), tables }, io));
    });

  daemonCommand(network, 'show')
    .summary('show what is in tables, and who gets them')
    .description('Prefixes in tables with who put each there, since and until when; then the tables and the clients.')
    .option(TABLE, 'only this table')
    .option('--prefix <prefix>', 'only what lies in this prefix, or has it in it')
    .option('--client <client>', 'only what a client has contributed, and its sessions; NAME-ADDRESS is one of them')
    .action(async (o: Values) => {
      const client = text(o, 'client');
      const { networkShow } = await import('../commands/network.ts');
      const shown = { table: text(o, 'table'), prefix: text(o, 'prefix'), client };
      const code = await networkShow({ ...viewOptions(context, o), ...shown }, io);
      if (client === undefined) return done(code);
      const { networkClient } = await import('../commands/network-client.ts');
      done(await networkClient({ ...viewOptions(context, o), client }, io));
    });

  daemonCommand(network, 'history')
    .summary('show who changed tables, and when')
    .description(
      'Changes of tables, the latest first: the last 10,000 of them, as far as they have room in 4 MiB, with the first 100 prefixes of each. They survive a restart.',
    )
    .option(TABLE, 'only changes of this table')
    .option('--prefix <prefix>', 'only changes of what overlaps it, and those that had more prefixes than are remembered')
    .option('--limit <count>', 'how many, at most 1000; 100 when absent', count)
    .action(async (o: Values) => {
      const { networkHistory } = await import('../commands/network-history.ts');
      const limit = typeof o['limit'] === 'number' ? o['limit'] : undefined;
      done(await networkHistory({ ...viewOptions(context, o), table: text(o, 'table'), prefix: text(o, 'prefix'), limit }, io));
    });

  daemonCommand(network, 'dump')
    .summary('print tables as plain text')
    .description(
      'Prints the prefixes of a table, one a line in order of their addresses: what network load takes. Without a table, all of them, with a line before each and when prefixes end: what network sync takes.',
    )
    .option(TABLE, 'only this table')
    .action(async (o: Values) => {
      const table = text(o, 'table');
      if (table === undefined) {
        const { networkDumpAll } = await import('../commands/network-sync.ts');
        done(await networkDumpAll(viewOptions(context, o), io));
        return;
      }
      const { networkDump } = await import('../commands/network-dump.ts');
      done(await networkDump({ ...viewOptions(context, o), table }, io));
    });

  daemonCommand(network, 'load')
    .summary('load a list into a table')
    .description('Puts the prefixes of a file into a table, all of them or, where one of them is refused, none.')
    .argument('<file>', 'a prefix a line, # begins a comment; - is the standard input')
    .requiredOption(TABLE, 'the table')
    .option('--replace', 'what is in the table and not in the file is taken out')
    .option(UNTIL[0], UNTIL[1], timeOrSpan)
    .option('--comment <text>', 'a remark for network show')
    .action(async (file: string, o: Values) => {
      const { networkLoad } = await import('../commands/network-load.ts');
      const until = typeof o['until'] === 'number' ? o['until'] : undefined;
      const options = { table: text(o, 'table') ?? '', replace: o['replace'] === true, until, comment: text(o, 'comment') };
      done(await networkLoad(file, { ...viewOptions(context, o), ...options }, io));
    });

  addSyncCommand(network, context);
}
