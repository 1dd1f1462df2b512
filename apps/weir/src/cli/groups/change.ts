import { type Command, InvalidArgumentError } from 'commander';
import { count, daemonCommand, type GroupContext, text, type Values, viewOptions } from '../options.ts';

/** Commands that change what is in force, and show what was. */
export function addChangeCommands(program: Command, context: GroupContext): void {
  const { done, io } = context;

  daemonCommand(program, 'plan')
    .summary('show what a changed configuration would do')
    .description(
      'Compares what is in force with the files as they are now: rules that are added, removed or changed, and packets whose verdict would be another. Changes nothing.',
    )
    .option('--out <file>', 'write the plan to a file, for weir apply')
    .option('--limit <count>', 'packets that are shown at most', count)
    .option('--detailed-exitcode', 'exit code 2 when something would change')
    .action(async (o: Values) => {
      const { plan } = await import('../commands/plan.ts');
      const limit = typeof o['limit'] === 'number' ? o['limit'] : undefined;
      done(await plan({ ...viewOptions(context, o), out: text(o, 'out'), limit, detailed: o['detailedExitcode'] === true }, io));
    });

  daemonCommand(program, 'apply')
    .summary('take the changed configuration')
    .description(
      'Takes the files as they are now. With a time to confirm, what was in force comes back by itself unless weir confirm comes in time: also when the daemon dies.',
    )
    .argument('[plan]', 'a plan that weir plan wrote; refused when it is stale')
    .option('--confirm-timeout <duration>', 'go back unless confirmed within this time (1s to 24h)', duration)
    .option('--allow-lockout', 'even if your SSH session or a BGP peer would be denied')
    .option('--flush-states', 'cut the connections that the new rules would deny; with a time to confirm when that comes')
    .option('--wait', 'with a time to confirm: wait for it; exit code 3 when what was in force came back')
    .action(async (file: string | undefined, o: Values) => {
      const { apply } = await import('../commands/apply.ts');
      const confirmTimeout = typeof o['confirmTimeout'] === 'number' ? o['confirmTimeout'] : undefined;
      const options = {
        confirmTimeout,
        allowLockout: o['allowLockout'] === true,
        flushStates: o['flushStates'] === true,
        wait: o['wait'] === true,
      };
      done(await apply(file, { ...viewOptions(context, o), ...options }, io));
    });

  daemonCommand(program, 'confirm')
    .summary('keep the change that waits for confirmation')
    .description('Says that what weir apply changed is good.')
    .action(async (o: Values) => {
      const { confirm } = await import('../commands/apply.ts');
      done(await confirm(viewOptions(context, o), io));
    });

  daemonCommand(program, 'rollback')
    .summary('go back to an earlier configuration')
    .description(
      'Takes back the change that waits for confirmation; else goes to the configuration before, or to a numbered one. Members of sets stay as BGP has them.',
    )
    .option('--to <number>', 'a generation that weir history lists', count)
    .action(async (o: Values) => {
      const { rollback } = await import('../commands/apply.ts');
      done(await rollback({ ...viewOptions(context, o), to: typeof o['to'] === 'number' ? o['to'] : undefined }, io));
    });

  daemonCommand(program, 'history')
    .summary('show what was in force')
    .description('The configurations that were in force: when, by whose doing, and what was different. The last 100 are kept.')
    .action(async (o: Values) => {
      const { history } = await import('../commands/history.ts');
      done(await history(viewOptions(context, o), io));
    });
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

function duration(value: string): number {
  const match = /^(\d{1,6})([smh])$/.exec(value);
  const ms = Number(match?.[1]) * (UNITS[match?.[2] ?? ''] ?? Number.NaN);
  if (!(ms >= 1000 && ms <= 86_400_000)) throw new InvalidArgumentError('a time such as 120s, 5m or 1h is needed, 1s to 24h');
  return ms;
}
