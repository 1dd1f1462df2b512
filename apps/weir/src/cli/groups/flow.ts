import { type Command, InvalidArgumentError, Option } from 'commander';
import type { FlowSummary } from '../../api/index.ts';
import { append, daemonCommand, type GroupContext, text, timeOrSpan, type Values, viewOptions } from '../options.ts';

/** Commands about flow rules (FlowSpec). */
export function addFlowCommands(program: Command, context: GroupContext): void {
  const { done, io } = context;
  const flow = program
    .command('flow')
    .summary('flow rules (FlowSpec)')
    .description('Flow rules that peers announce (RFC 8955, RFC 8956).')
    .helpCommand(false);

  daemonCommand(flow, 'show')
    .summary('show the flow rules that peers announce')
    .description(
      'Every announcement in the order in which rules are judged: what it asks for, whether it is enforced and why not, who announced it, and what it has counted.',
    )
    .option('--peer <name>', 'only from this peer')
    .addOption(new Option('--state <state>', 'only in this state').choices(['enforced', 'refused', 'waiting', 'not-best']))
    .action(async (o: Values) => {
      const { flowShow } = await import('../commands/flow-show.ts');
      done(
        await flowShow(
          { ...viewOptions(context, o), peer: text(o, 'peer'), state: text(o, 'state') as FlowSummary['state'] | undefined },
          io,
        ),
      );
    });

  daemonCommand(flow, 'add')
    .summary('announce a flow rule')
    .description(
      'Announces a flow rule of our own to the peers that flowspec.announce names, until it is deleted or its time is over; it is announced again after a restart. One that is there already is announced with its new actions.',
    )
    .argument('<rule>', 'as BIRD writes it: "flow4 { dst 192.0.2.1/32; proto 17; sport 123; }"')
    .option('--discard', 'drop the packets')
    .option('--rate <rate>', 'so much at most: 10mbit, 500kbit, 1gbit (a second, each 1000 of the one before), 100pps, 20kpps', rateAction)
    .option('--rate-bytes <rate>', 'so many octets a second at most', rate)
    .option('--rate-packets <rate>', 'so many packets a second at most', rate)
    .option('--action <action>', 'sample, continue, mark 46, redirect rt:64512:80, redirect-to 192.0.2.1; may be given again', append, [])
    .option('--peer <name>', 'only to this peer; may be given again', append, [])
    .option('--until <time>', 'a time (2026-12-01T00:00:00Z) or how long (90s, 15m, 2h, 7d)', timeOrSpan)
    .option('--comment <text>', 'a remark for flow show')
    .action(async (rule: string, o: Values) => {
      const { flowAdd } = await import('../commands/flow-change.ts');
      const actions = [
        ...(o['discard'] === true ? ['discard'] : []),
        ...(typeof o['rate'] === 'string' ? [o['rate']] : []),
        ...(['rate-bytes', 'rate-packets'] as const).flatMap((kind) => {
          const given = o[kind === 'rate-bytes' ? 'rateBytes' : 'ratePackets'];
          return typeof given === 'number' ? [`${kind} ${given}`] : [];
        }),
        ...(o['action'] as string[]),
      ];
      const time = typeof o['until'] === 'number' ? o['until'] : undefined;
      const options = { ...viewOptions(context, o), actions, peers: o['peer'] as string[], until: time, comment: text(o, 'comment') };
      done(await flowAdd(rule, options, io));
    });

  daemonCommand(flow, 'delete')
    .summary('withdraw a flow rule')
    .description('Withdraws a flow rule of our own.')
    .argument('<rule>', 'as it was added')
    .action(async (rule: string, o: Values) => {
      const { flowDelete } = await import('../commands/flow-change.ts');
      done(await flowDelete(rule, viewOptions(context, o), io));
    });
}

const MULTIPLES: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };

/** A rate with its unit as the action that asks for it. */
function rateAction(value: string): string {
  const [, number = '', multiple = '', unit] = /^(\d{1,9}(?:\.\d{1,9})?)([kmg]?)(bit|pps)$/.exec(value) ?? [];
  if (unit === undefined) throw new InvalidArgumentError('a rate such as 10mbit or 100pps is needed');
  const count = Number(number) * (MULTIPLES[multiple] ?? Number.NaN);
  return unit === 'pps' ? `rate-packets ${count}` : `rate-bytes ${count / 8}`;
}

function rate(value: string): number {
  const number = Number(value);
  if (!/^[0-9.]+$/.test(value) || !(number >= 0)) throw new InvalidArgumentError('a number of 0 or more is needed');
  return number;
}
