import type { NetworkClientAnswer } from '../../api/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';
import { renderTable } from '../render/table.ts';
import { ago, humanDuration } from '../render/units.ts';

type Session = NetworkClientAnswer['sessions'][number];

/** A client, and every session of it; or one session. */
export function networkClient(options: ViewOptions & { readonly client: string }, io: Io): Promise<ExitCode> {
  return withDaemon(options, async (daemon) => {
    const sessions: Session[] = [];
    const first = await daemon.call('network-client', { client: options.client });
    sessions.push(...first.sessions);
    for (let { cursor } = first; cursor !== undefined; ) {
      const next = await daemon.call('network-client', { client: options.client, cursor });
      sessions.push(...next.sessions);
      cursor = next.cursor;
    }
    const { cursor: _read, ...answer } = { ...first, sessions };
    await io.out(options.output === 'json' ? `${JSON.stringify(answer)}\n` : renderClient(answer, options.palette.bold));
    return EXIT.ok;
  });
}

export function renderClient(answer: NetworkClientAnswer, bold: (text: string) => string, now: number = Date.now()): string {
  const { client, from, as, tables, contribute, sessions, refused } = answer;
  const lines = [`client ${client}: from ${from.join(', ')}, AS ${as}, gets ${tables.length === 0 ? 'nothing' : tables.join(', ')}`];
  for (const { table, prefixes, lengths, max_prefixes: most, lifetime_ms: lifetime } of contribute) {
    const bits = `/${lengths.ipv4.join('-')} and /${lengths.ipv6.join('-')}`;
    lines.push(`  may contribute to ${table}: ${prefixes.join(', ')} (${bits}), ${most} prefixes, for ${humanDuration(lifetime)}`);
  }
  if (contribute.length === 0) lines.push('  may contribute nothing');
  const sums = Object.entries(refused).map(([reason, count]) => `${count} ${reason}`);
  if (sums.length > 0) lines.push(`  refused since the start: ${sums.join(', ')}`);
  const head = lines.map((line) => `${escapeControl(line)}\n`).join('');
  if (sessions.length === 0) return `${head}no sessions\n`;
  const rows = sessions.map((one) => [
    one.address,
    one.as === undefined ? '' : String(one.as),
    one.state,
    one.since === undefined ? '' : ago(one.since, now),
    one.routes === undefined ? '' : `${one.routes}${one.in_step ? '' : ' (behind)'}`,
    String(one.queue),
    Object.entries(one.contributed)
      .map(([table, count]) => `${table} ${count}`)
      .join(', '),
    Object.entries(one.refused)
      .map(([reason, { count, last }]) => `${count} ${reason}${last === undefined ? '' : ` (${last})`}`)
      .join(', '),
  ]);
  return `${head}${renderTable(['ADDRESS', 'AS', 'STATE', 'FOR', 'ROUTES', 'QUEUE', 'CONTRIBUTED', 'REFUSED'], rows, 'lrlrrrll', bold)}`;
}
