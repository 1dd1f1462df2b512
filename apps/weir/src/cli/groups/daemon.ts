import { type Command, Option } from 'commander';
import { count, daemonCommand, type GroupContext, tenantOption, text, type Values, viewOptions, word } from '../options.ts';

const HOOKS = ['prerouting', 'input', 'forward', 'output', 'xdp', 'tc', 'connect'] as const;

/** Commands that ask the daemon. */
export function addDaemonCommands(program: Command, context: GroupContext): void {
  const { done, io } = context;
  daemonCommand(program, 'status')
    .summary('show the state of the daemon')
    .description(
      'Sessions, sets, commits, latencies, what eBPF programs are attached to, and what is wrong. With --features: what this kernel gives the eBPF engine and what Weir does without the rest; needs no daemon, and ends with 4 where nothing of eBPF works.',
    )
    .option('--features', 'what this kernel can, instead')
    .action(async (o: Values) => {
      if (o['features'] === true) {
        const { features } = await import('../commands/features.ts');
        done(await features(viewOptions(context, o), io));
        return;
      }
      const { status } = await import('../commands/status.ts');
      done(await status(viewOptions(context, o), io));
    });

  daemonCommand(program, 'peers')
    .summary('show the BGP peers')
    .description('Each peer with its state, whether it has converged (said all that it has), its routes and its last error.')
    .action(async (o: Values) => {
      const { peers } = await import('../commands/peers.ts');
      done(await peers(viewOptions(context, o), io));
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
      const { routes } = await import('../commands/routes.ts');
      const family = o['family'] === undefined ? undefined : word(o, 'family', ['ipv4', 'ipv6'] as const);
      const limit = typeof o['limit'] === 'number' ? o['limit'] : undefined;
      done(
        await routes(
          prefix,
          { ...viewOptions(context, o), peer: text(o, 'peer'), set: text(o, 'set'), family, longer: o['longer'] === true, limit },
          io,
        ),
      );
    });

  daemonCommand(program, 'sets')
    .summary('show sets and their members')
    .description('All sets; or the members of one, each with the routes that put it there.')
    .argument('[name]', 'a set')
    .option('--refused', 'what the guard of the set refused, by reason')
    .option('--watch', 'then print changes as they come, until interrupted')
    .addOption(tenantOption())
    .action(async (name: string | undefined, o: Values, command: Command) => {
      if (o['refused'] === true && name === undefined && o['watch'] !== true) command.error('error: --refused needs the name of a set');
      const { sets } = await import('../commands/sets.ts');
      done(
        await sets(
          name,
          { ...viewOptions(context, o), refused: o['refused'] === true, watch: o['watch'] === true, tenant: text(o, 'tenant') },
          io,
        ),
      );
    });

  daemonCommand(program, 'rules')
    .summary('show the rules in force')
    .description('What is judged at each hook, in the order of judgement: the base, deny sets, the policy and the default.')
    .addOption(new Option('--hook <hook>', 'only this hook').choices(HOOKS))
    .addOption(tenantOption())
    .action(async (o: Values) => {
      const { rules } = await import('../commands/rules.ts');
      const hook = o['hook'] === undefined ? undefined : word(o, 'hook', HOOKS);
      done(await rules({ ...viewOptions(context, o), hook, tenant: text(o, 'tenant') }, io));
    });

  daemonCommand(program, 'counters')
    .summary('show how much each rule has seen')
    .description('Packets and bytes of every rule in the kernel since it was installed; rules of tenants have their name before them.')
    .addOption(tenantOption())
    .action(async (o: Values) => {
      const { counters } = await import('../commands/counters.ts');
      done(await counters({ ...viewOptions(context, o), tenant: text(o, 'tenant') }, io));
    });

  daemonCommand(program, 'reload')
    .summary('read the configuration again')
    .description(
      'Applies only the difference. A file with mistakes changes nothing, and they are printed. The same as SIGHUP, with an answer.',
    )
    .action(async (o: Values) => {
      const { reload } = await import('../commands/reload.ts');
      done(await reload(viewOptions(context, o), io));
    });
}
