import { type Command, InvalidArgumentError } from 'commander';
import { append, count, daemonCommand, type GroupContext, text, timeOrSpan, type Values, viewOptions } from '../options.ts';

const QUIET = 3000;
const TIMEOUT = 120_000;
const MAX_ROUTES = 2_000_000;

/** The command that compares and copies tables. */
export function addSyncCommand(network: Command, { done, io, ...context }: GroupContext): void {
  daemonCommand(network, 'sync')
    .summary('copy tables from another distributor, or show differences')
    .description(
      'Compares the tables with those of another distributor, and puts in what is missing: all of it, or where one prefix is refused nothing. Tables are known by their communities, whatever the other calls them.',
    )
    .argument(
      '<from>',
      'its address (192.0.2.2, [2001:db8::2]:179): a session as one of its clients; or a file that network dump wrote, - is the standard input',
    )
    .option('--dry-run', 'print the differences and change nothing')
    .option('--detailed-exitcode', 'with --dry-run: exit code 2 when there are differences')
    .option('--replace', 'take out what the other does not have; what clients and feeds have put here stays')
    .option('--allow-empty', 'with --replace: also where the other has nothing in a table')
    .option('--table <name>', 'only this table; may be given again', append, [])
    .option('--community-tables', 'communities of no table are tables without a name')
    .option(
      '--until <time>',
      'the end of what is put in and has none of its own: a time (2026-12-01T00:00:00Z) or how long (90s, 15m, 2h, 7d)',
      timeOrSpan,
    )
    .option('--comment <text>', 'a remark for network show (default: from where it is)')
    .option('--as <number>', 'own AS number of the session (default: that of the daemon)', count)
    .option('--source <address>', 'own address of the session')
    .option('--password-file <file>', 'file whose first line is the TCP MD5 password of the session')
    .option('--quiet-time <duration>', 'silence after which the other has said all (default: 3s)', span)
    .option('--timeout <duration>', 'time that the session may take (default: 2m)', span)
    .option('--max-routes <count>', 'routes that are taken at most (default: 2000000)', count)
    .action(async (from: string, o: Values) => {
      const { networkSync } = await import('../commands/network-sync.ts');
      const options = {
        ...viewOptions({ done, io, ...context }, o),
        tables: o['table'] as string[],
        unnamed: o['communityTables'] === true,
        replace: o['replace'] === true,
        allowEmpty: o['allowEmpty'] === true,
        dryRun: o['dryRun'] === true,
        detailed: o['detailedExitcode'] === true,
        comment: text(o, 'comment'),
        until: number(o, 'until'),
        as: number(o, 'as'),
        source: text(o, 'source'),
        passwordFile: text(o, 'passwordFile'),
        quiet: number(o, 'quietTime') ?? QUIET,
        timeout: number(o, 'timeout') ?? TIMEOUT,
        maxRoutes: number(o, 'maxRoutes') ?? MAX_ROUTES,
      };
      done(await networkSync(from, options, io));
    });
}

function number(o: Values, name: string): number | undefined {
  const value = o[name];
  return typeof value === 'number' ? value : undefined;
}

/** `500ms`, `3s`, `2m`: milliseconds. */
function span(value: string): number {
  const found = /^(\d{1,5})(ms|s|m)$/.exec(value);
  const ms = Number(found?.[1]) * (found?.[2] === 'ms' ? 1 : found?.[2] === 's' ? 1000 : 60_000);
  if (!(ms >= 1 && ms <= 3_600_000)) throw new InvalidArgumentError('how long, such as 500ms, 3s or 2m, at most an hour');
  return ms;
}
