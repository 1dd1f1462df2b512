import type { FlowSummary, FlowsAnswer } from '../../api/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { everyFlow } from '../explain/known-flows.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';
import { announcedBy, askedFor } from '../render/flow-rule.ts';
import type { Palette } from '../render/paint.ts';
import { refusedText } from '../render/told.ts';
import { plural } from '../render/units.ts';
import { renderAnnounced } from './flow-change.ts';

export interface FlowShowOptions extends ViewOptions {
  readonly peer: string | undefined;
  readonly state: FlowSummary['state'] | undefined;
}

/** The flow rules of all peers, in the order in which they are judged. */
export function flowShow(options: FlowShowOptions, io: Io): Promise<ExitCode> {
  const { peer, state } = options;
  return withDaemon(options, async (client) => {
    const asked = { ...(peer === undefined ? {} : { peer }), ...(state === undefined ? {} : { state }) };
    const answer = await everyFlow(client, asked, io.signal);
    await io.out(options.output === 'json' ? `${JSON.stringify(answer)}\n` : renderFlows(answer, options.palette));
    return EXIT.ok;
  });
}

/** Each rule, and indented under it what it does, why it is there, and what it has counted. */
export function renderFlows(
  { at, peers, announced, flows, from_sets: fromSets = [] }: FlowsAnswer,
  p: Palette,
  now: number = Date.now(),
): string {
  const where = at === undefined ? 'flow rules are not enforced (flowspec is not configured)' : `enforced at ${at}`;
  const heads = peers.map(({ peer, rules, enforced, waiting, stale, refused }) => {
    const left = Object.entries(refused).map(([reason, count]) => `${count} refused (${reason})`);
    const also = [...(waiting > 0 ? [`${waiting} waiting`] : []), ...(stale > 0 ? [`${stale} stale`] : []), ...left];
    return `${escapeControl(peer)}: ${[`${rules} rules, ${enforced} enforced`, ...also].join(', ')}\n`;
  });
  const own = announced.map((one) => `announced: ${renderAnnounced(one)}`);
  const sets = fromSets.map((one) => {
    const to = [...(one.enforce ? ['enforced'] : []), ...(one.peers.length > 0 ? [`announced to ${one.peers.join(', ')}`] : [])];
    return `${escapeControl([`set ${one.set} as ${one.as}: ${one.rules} rules`, ...to, ...refusedText(one)].join(', '))}\n`;
  });
  return `${where}\n${heads.join('')}${sets.join('')}${own.join('')}${flows.map((flow) => renderFlow(flow, p, now)).join('')}`;
}

function renderFlow(flow: FlowSummary, p: Palette, now: number): string {
  const { state, refused, notes, counters = [] } = flow;
  const why = refused ? `refused (${refused.reason}): ${refused.message}` : state;
  const lines = [
    `${askedFor(flow)}; ${why}`,
    announcedBy(flow, now),
    ...notes.map((note) => `not counted: ${note}`),
    ...counters.map(
      ({ step, packets, bytes }) => `${step === '' ? '' : `${step}: `}${plural(packets, 'packet')}, ${plural(bytes, 'byte')}`,
    ),
  ];
  return `${p.bold(escapeControl(flow.flow))}\n${lines.map((line) => `  ${escapeControl(line)}\n`).join('')}`;
}
