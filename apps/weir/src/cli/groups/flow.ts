import { type Command, Option } from 'commander';
import type { FlowSummary } from '../../api/index.ts';
import { daemonCommand, type GroupContext, text, type Values, viewOptions } from '../options.ts';

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
}
