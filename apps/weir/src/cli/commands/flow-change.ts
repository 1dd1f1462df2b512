import type { OwnFlowSummary } from '../../api/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';
import { toldText } from '../render/told.ts';

export interface FlowAddOptions extends ViewOptions {
  /** As actions are written. */
  readonly actions: readonly string[];
  readonly peers: readonly string[];
  /** Milliseconds since the epoch. */
  readonly until: number | undefined;
  readonly comment: string | undefined;
}

/** Announces a flow rule of our own. */
export function flowAdd(flow: string, options: FlowAddOptions, io: Io): Promise<ExitCode> {
  const { actions, peers, until, comment } = options;
  if (actions.length === 0)
    throw new CliError(EXIT.usage, 'what is to happen is missing: --discard, --rate-bytes, --rate-packets or --action');
  return withDaemon(options, async (client) => {
    const answer = await client.call('flow-add', {
      flow,
      actions,
      ...(peers.length === 0 ? {} : { peers }),
      ...(until === undefined ? {} : { until }),
      ...(comment === undefined ? {} : { comment }),
    });
    await io.out(options.output === 'json' ? `${JSON.stringify(answer)}\n` : renderAnnounced(answer.announced));
    return EXIT.ok;
  });
}

/** Withdraws one. */
export function flowDelete(flow: string, options: ViewOptions, io: Io): Promise<ExitCode> {
  return withDaemon(options, async (client) => {
    const answer = await client.call('flow-delete', { flow });
    await io.out(options.output === 'json' ? `${JSON.stringify(answer)}\n` : `withdrawn: ${escapeControl(answer.withdrawn)}\n`);
    return EXIT.ok;
  });
}

/** A flow rule of our own, in one line. */
export function renderAnnounced({ flow, actions, peers, told, until, comment, by }: OwnFlowSummary): string {
  const parts = [
    `${flow} ${actions.join(', ')}`,
    toldText({ peers, told }),
    until === undefined ? '' : `until ${until}`,
    `by ${by}`,
    comment === undefined ? '' : `(${comment})`,
  ];
  return `${escapeControl(parts.filter((part) => part !== '').join('; '))}\n`;
}
