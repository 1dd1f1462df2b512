import type { ControlClient, FlowSummary, FlowsAnswer } from '../../api/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';
import type { Palette } from '../render/paint.ts';
import { ago } from '../render/units.ts';
import { renderAnnounced } from './flow-change.ts';

export interface FlowShowOptions extends ViewOptions {
  readonly peer: string | undefined;
  readonly state: FlowSummary['state'] | undefined;
}

/** The flow rules of all peers, in the order in which they are judged. */
export function flowShow(options: FlowShowOptions, io: Io): Promise<ExitCode> {
  return withDaemon(options, async (client) => {
    const answer = await everyPage(client, options, io);
    await io.out(options.output === 'json' ? `${JSON.stringify(answer)}\n` : renderFlows(answer, options.palette));
    return EXIT.ok;
  });
}

async function everyPage(client: ControlClient, { peer, state }: FlowShowOptions, io: Io): Promise<FlowsAnswer> {
  const given = { limit: 10_000, ...(peer === undefined ? {} : { peer }), ...(state === undefined ? {} : { state }) };
  let answer = await client.call('flows', given);
  const flows = [...answer.flows];
  while (answer.next !== undefined && !io.signal.aborted) {
    answer = await client.call('flows', { ...given, cursor: answer.next });
    flows.push(...answer.flows);
  }
  const { next: _, ...last } = answer;
  return { ...last, flows };
}

/** Each rule, and indented under it what it does, why it is there, and what it has counted. */
export function renderFlows({ at, peers, announced, flows }: FlowsAnswer, p: Palette, now: number = Date.now()): string {
  const where = at === undefined ? 'flow rules are not enforced (flowspec is not configured)' : `enforced at ${at}`;
  const heads = peers.map(({ peer, rules, enforced, waiting, stale, refused }) => {
    const left = Object.entries(refused).map(([reason, count]) => `${count} refused (${reason})`);
    const also = [...(waiting > 0 ? [`${waiting} waiting`] : []), ...(stale > 0 ? [`${stale} stale`] : []), ...left];
    return `${escapeControl(peer)}: ${[`${rules} rules, ${enforced} enforced`, ...also].join(', ')}\n`;
  });
  const own = announced.map((one) => `announced: ${renderAnnounced(one)}`);
  return `${where}\n${heads.join('')}${own.join('')}${flows.map((flow) => renderFlow(flow, p, now)).join('')}`;
}

function renderFlow(flow: FlowSummary, p: Palette, now: number): string {
  const { state, refused, actions, notes, counters = [] } = flow;
  const why = refused ? `refused (${refused.reason}): ${refused.message}` : state;
  const lines = [
    `${actions.join(', ') || 'accept'}; ${why}`,
    `from ${flow.peer}${flow.as_path.length > 0 ? ` via AS ${flow.as_path.join(' ')}` : ''} for ${ago(flow.since, now)}${flow.stale ? ' (stale)' : ''}`,
    ...notes.map((note) => `not counted: ${note}`),
    ...counters.map(({ step, packets, bytes }) => `${step === '' ? '' : `${step}: `}${packets} packets, ${bytes} bytes`),
  ];
  return `${p.bold(escapeControl(flow.flow))}\n${lines.map((line) => `  ${escapeControl(line)}\n`).join('')}`;
}
