import type { Command } from 'commander';
import { append, daemonCommand, type GroupContext, text, timeOrSpan, type Values, viewOptions } from '../options.ts';

/** Commands about blackhole routes (RFC 7999). */
export function addBlackholeCommands(program: Command, context: GroupContext): void {
  const { done, io } = context;
  const blackhole = program
    .command('blackhole')
    .summary('blackhole routes')
    .description('Blackhole routes that Weir announces (RFC 7999): made by hand, and those that flow rules have become.')
    .helpCommand(false);

  daemonCommand(blackhole, 'show')
    .summary('show the blackhole routes that are announced')
    .description(
      'Every blackhole route that is announced: its communities, who has been told, until when, and who made it or which flow rules it is of.',
    )
    .action(async (o: Values) => {
      const { blackholeShow } = await import('../commands/blackhole.ts');
      done(await blackholeShow(viewOptions(context, o), io));
    });

  daemonCommand(blackhole, 'add')
    .summary('announce a blackhole route')
    .description(
      'Announces a prefix as a blackhole route to the peers that blackholes.announce names, until it is deleted or its time is over; it is announced again after a restart. One that is there already is announced as it is said now.',
    )
    .argument('<prefix>', 'as 203.0.113.7/32; an address by itself is a host')
    .option(
      '--community <community>',
      'instead of those of the configuration: blackhole, 64512:666, 64512:1:2; may be given again',
      append,
      [],
    )
    .option('--next-hop <address>', 'the next hop, instead of that of the configuration')
    .option('--peer <name>', 'only to this peer; may be given again', append, [])
    .option('--until <time>', 'a time (2026-12-01T00:00:00Z) or how long (90s, 15m, 2h, 7d)', timeOrSpan)
    .option('--comment <text>', 'a remark for blackhole show')
    .option('--allow-protected', 'though it has addresses that are protected, or of this host or its peers')
    .action(async (prefix: string, o: Values) => {
      const { blackholeAdd } = await import('../commands/blackhole.ts');
      const options = {
        ...viewOptions(context, o),
        communities: o['community'] as string[],
        nextHop: text(o, 'nextHop'),
        peers: o['peer'] as string[],
        until: typeof o['until'] === 'number' ? o['until'] : undefined,
        comment: text(o, 'comment'),
        allowProtected: o['allowProtected'] === true,
      };
      done(await blackholeAdd(prefix, options, io));
    });

  daemonCommand(blackhole, 'delete')
    .summary('withdraw a blackhole route')
    .description('Withdraws a blackhole route that was made by hand.')
    .argument('<prefix>', 'as it was added')
    .action(async (prefix: string, o: Values) => {
      const { blackholeDelete } = await import('../commands/blackhole.ts');
      done(await blackholeDelete(prefix, viewOptions(context, o), io));
    });
}
