import type { ControlClient, MemberSummary, RefusedAnswer, SetSummary, WhySummary } from '../../api/index.ts';
import { qualifiedName, splitName } from '../../model/scopes.ts';
import { withDaemon } from '../daemon-client.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';
import type { Palette } from '../render/paint.ts';
import { renderTable } from '../render/table.ts';
import { ago } from '../render/units.ts';

export interface SetsOptions extends ViewOptions {
  readonly refused: boolean;
  readonly watch: boolean;
  readonly tenant: string | undefined;
}

/** All sets, the members of one with their reasons, what one refused, or changes as they come. */
export async function sets(given: string | undefined, options: SetsOptions, io: Io): Promise<ExitCode> {
  const name = given === undefined ? undefined : qualifiedName(options.tenant, given);
  if (name === undefined && options.watch && options.tenant !== undefined)
    throw new CliError(EXIT.usage, '--watch with --tenant needs the name of a set');
  return withDaemon(options, async (client) => {
    if (name === undefined) await listSets(client, options, io);
    else if (options.refused) await listRefused(client, name, options, io);
    else await listMembers(client, name, options, io);
    return options.watch ? watchSets(client, name, options, io) : EXIT.ok;
  });
}

async function listSets(client: ControlClient, options: SetsOptions, io: Io): Promise<void> {
  const all = await client.call('sets', {});
  const answer = { ...all, sets: all.sets.filter((set) => options.tenant === undefined || splitName(set.name).tenant === options.tenant) };
  await io.out(options.output === 'json' ? `${JSON.stringify(answer)}\n` : renderSets(answer.sets, options.palette));
}

export function renderSets(list: readonly SetSummary[], p: Palette): string {
  const rows = list.flatMap((set) => {
    const refused = Object.values(set.refused).reduce((a, b) => a + b, 0);
    const head = [set.name, set.kind, `${set.members}/${set.max_members}`, String(set.stale), String(refused)];
    const targets = set.targets.map((t) => [t.kernel_set, String(t.installed), t.representation, notes(t)]);
    if (targets.length === 0) return [[...head, '', '', '', '']];
    return targets.map((t, i) => [...(i === 0 ? head : ['', '', '', '', '']), ...t]);
  });
  return renderTable(['SET', 'KIND', 'MEMBERS', 'STALE', 'REFUSED', 'KERNEL SET', 'INSTALLED', 'AS', 'NOTES'], rows, 'llrrrlrll', p.bold);
}

function notes(t: SetSummary['targets'][number]): string {
  const present = t.representation !== 'absent';
  return [
    ...(!present || t.wanted !== t.installed + t.covered ? [`${t.wanted} wanted`] : []),
    ...(present && t.covered > 0 ? [`${t.covered} covered`] : []),
    ...(t.foreign > 0 ? [`${t.foreign} of others`] : []),
    ...(t.conflicts.length > 0 ? [`${t.conflicts.length} conflicts`] : []),
    ...(t.unfit.length > 0 ? [`${t.unfit.length} unfit`] : []),
  ].join(', ');
}

async function listRefused(client: ControlClient, set: string, options: SetsOptions, io: Io): Promise<void> {
  const answer = await client.call('refused', { set });
  await io.out(options.output === 'json' ? `${JSON.stringify(answer)}\n` : renderRefused(answer, options.palette));
}

export function renderRefused(answer: RefusedAnswer, p: Palette, now: number = Date.now()): string {
  const counts = Object.entries(answer.counts).filter(([, count]) => count > 0);
  if (counts.length === 0) return `${escapeControl(answer.set)}: nothing was refused\n`;
  const head = `${escapeControl(answer.set)}: ${counts.map(([reason, count]) => `${count} ${escapeControl(reason)}`).join(', ')}\n`;
  const rows = answer.recent.map((r) => [r.prefix, r.peer, r.reason, ago(r.at, now)]);
  return head + renderTable(['PREFIX', 'PEER', 'REASON', 'AGO'], rows, 'lllr', p.bold);
}

async function listMembers(client: ControlClient, set: string, options: SetsOptions, io: Io): Promise<void> {
  let cursor: string | undefined;
  let first = true;
  do {
    const page = await client.call('members', { set, limit: 10_000, ...(cursor === undefined ? {} : { cursor }) });
    if (options.output === 'json') {
      const items = page.members.map((m) => JSON.stringify(m)).join(',');
      const head = `{"format_version":${page.format_version},"set":${JSON.stringify(page.set)},"total":${page.total},"members":[`;
      await io.out((first ? head : items === '' ? '' : ',') + items);
    } else {
      for (const member of page.members) await io.out(renderMember(member, options.palette));
    }
    cursor = page.next;
    first = false;
  } while (cursor !== undefined && !io.signal.aborted);
  if (options.output === 'json') await io.out(']}\n');
}

/** A member, and indented under it each reason why it is there. */
export function renderMember(member: MemberSummary, p: Palette, now: number = Date.now()): string {
  return `${p.bold(escapeControl(member.prefix))}\n${member.why.map((why) => `  ${renderWhy(why, now)}\n`).join('')}`;
}

/** Why a member is there, in one line. */
export function renderWhy(why: WhySummary, now: number): string {
  if (why.kind === 'ledger') return 'found at start, not heard of yet';
  if (why.kind !== 'route') return escapeControl(`${why.kind} ${why.text ?? ''}`.trimEnd());
  const parts = [
    `from ${why.peer ?? '?'}`,
    ...(why.path_id === undefined ? [] : [`path ${why.path_id}`]),
    ...(why.communities && why.communities.length > 0 ? [`with ${why.communities.join(' ')}`] : []),
    ...(why.as_path && why.as_path.length > 0 ? [`via AS ${why.as_path.join(' ')}`] : []),
    ...(why.since === undefined ? [] : [`for ${ago(why.since, now)}`]),
    ...(why.stale ? ['(stale)'] : []),
  ];
  return escapeControl(parts.join(' '));
}

/** One line (or JSON object) a change, until interrupted. */
async function watchSets(client: ControlClient, set: string | undefined, options: SetsOptions, io: Io): Promise<ExitCode> {
  const stop = (): void => client.close();
  io.signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const batch of client.watch({ kinds: options.refused ? ['refused'] : ['member'], ...(set === undefined ? {} : { set }) })) {
      if (batch.lost > 0) io.err(`${batch.lost} changes were lost: the reader is too slow\n`);
      for (const event of batch.events) {
        if (options.output === 'json') await io.out(`${JSON.stringify({ format_version: batch.format_version, ...event })}\n`);
        else await io.out(`${event.at} ${escapeControl(event.message)}\n`);
      }
    }
  } catch (error) {
    if (!io.signal.aborted) throw error;
  } finally {
    io.signal.removeEventListener('abort', stop);
  }
  return io.signal.aborted ? EXIT.interrupted : EXIT.ok;
}
