import type { Command } from 'commander';
import { daemonCommand, type GroupContext, type Values, viewOptions } from '../options.ts';

/** Commands about lists that are pulled into tables. */
export function addFeedCommands(program: Command, context: GroupContext): void {
  const { done, io } = context;
  const feed = program
    .command('feed')
    .summary('lists that are pulled into tables of networks')
    .description('Lists that are pulled into tables of networks from files and servers (feeds: in the configuration).')
    .helpCommand(false);

  daemonCommand(feed, 'show')
    .summary('show feeds and how they stand')
    .description(
      'For each feed what it has in its table, what of its list was left out, when a list was taken, why the last one was not, and when it is tried next.',
    )
    .argument('[name]', 'only this one')
    .action(async (name: string | undefined, o: Values) => {
      const { feedShow } = await import('../commands/feed.ts');
      done(await feedShow(name, viewOptions(context, o), io));
    });

  daemonCommand(feed, 'refresh')
    .summary('get lists now')
    .description('Gets lists now and takes them, one after the other: all feeds where none is named. What cannot be taken changes nothing.')
    .argument('[name...]', 'these feeds')
    .option('--force', 'take a list also where it has shrunk or grown too much')
    .action(async (names: string[], o: Values) => {
      const { feedRefresh } = await import('../commands/feed.ts');
      done(await feedRefresh(names, { ...viewOptions(context, o), force: o['force'] === true }, io));
    });

  daemonCommand(feed, 'accept')
    .summary('take a list that was refused for its size')
    .description(
      'Gets a list again that was refused because it has shrunk or grown too much, or is what a table has already, and takes it this once.',
    )
    .argument('<name>', 'the feed')
    .action(async (name: string, o: Values) => {
      const { feedAccept } = await import('../commands/feed.ts');
      done(await feedAccept(name, viewOptions(context, o), io));
    });
}
