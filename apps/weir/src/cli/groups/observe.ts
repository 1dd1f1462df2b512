import { IP_PROTOCOLS } from '@weir/filter/scheme';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { EVENT_HOOKS, EVENT_VERDICTS, type EventVerdict } from '../../model/verdict-event.ts';
import { count, daemonCommand, type GroupContext, tenantOption, text, type Values, viewOptions, word } from '../options.ts';

/** `weir observe`. */
export function addObserveCommand(program: Command, context: GroupContext): void {
  const { done, io } = context;
  daemonCommand(program, 'observe')
    .summary('show verdicts as they happen')
    .description(
      'What rules with `log: true`, `audit: true` or the action `log` do with packets and connections, a line each, until interrupted; with --last what they did. Everything that is asked for must hold.',
    )
    .option('--verdict <words>', `only these, with commas between: ${EVENT_VERDICTS.join(', ')}`, verdicts)
    .option('--rule <ref>', 'only of the rule with this ref')
    .option('--address <address>', 'only from or to this address or prefix')
    .option('--port <number>', 'only from or to this port', port)
    .option('--protocol <name>', 'only of this protocol: a name, or a number', protocol)
    .addOption(new Option('--hook <hook>', 'only at this hook').choices(EVENT_HOOKS))
    .addOption(tenantOption())
    .option('--last <count>', 'the newest that the daemon remembers, at most so many, and end', count)
    .option('--follow', 'with --last: then go on as they happen')
    .action(async (o: Values) => {
      const { observe } = await import('../commands/observe.ts');
      const last = typeof o['last'] === 'number' ? Math.min(o['last'], MOST_LAST) : undefined;
      const request = {
        verdicts: o['verdict'] as readonly EventVerdict[] | undefined,
        rule: text(o, 'rule'),
        address: text(o, 'address'),
        port: typeof o['port'] === 'number' ? o['port'] : undefined,
        protocol: typeof o['protocol'] === 'number' ? o['protocol'] : undefined,
        hook: o['hook'] === undefined ? undefined : word(o, 'hook', EVENT_HOOKS),
        tenant: text(o, 'tenant'),
        last,
        follow: last === undefined || o['follow'] === true,
      };
      done(await observe({ ...viewOptions(context, o), request }, io));
    });
}

/** As many as one answer of the daemon has. */
const MOST_LAST = 10_000;

function verdicts(value: string): readonly EventVerdict[] {
  return value.split(',').map((name) => {
    const known = EVENT_VERDICTS.find((one) => one === name.trim());
    if (!known) throw new InvalidArgumentError(`${JSON.stringify(name.trim())} is none of ${EVENT_VERDICTS.join(', ')}`);
    return known;
  });
}

function port(value: string): number {
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) throw new InvalidArgumentError('a port is a number from 0 to 65535');
  return Number(value);
}

function protocol(value: string): number {
  const known = Object.hasOwn(IP_PROTOCOLS, value) ? IP_PROTOCOLS[value] : undefined;
  if (known !== undefined) return known;
  if (!/^\d{1,3}$/.test(value) || Number(value) > 255)
    throw new InvalidArgumentError('a protocol is a name such as tcp, or a number up to 255');
  return Number(value);
}
