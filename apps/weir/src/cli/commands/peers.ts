import type { PeerSummary } from '../../api/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { clientLines } from '../render/client-lines.ts';
import type { Palette } from '../render/paint.ts';
import { renderTable } from '../render/table.ts';
import { ago } from '../render/units.ts';

export async function peers(options: ViewOptions, io: Io): Promise<ExitCode> {
  const answer = await withDaemon(options, (client) => client.call('peers', {}));
  await io.out(
    options.output === 'json'
      ? `${JSON.stringify(answer)}\n`
      : renderPeers(answer.peers, options.palette) +
          clientLines(answer.clients)
            .map((line) => `${line}\n`)
            .join(''),
  );
  return EXIT.ok;
}

export function renderPeers(list: readonly PeerSummary[], p: Palette, now: number = Date.now()): string {
  const rows = list.map((peer) => [
    peer.name,
    peer.address,
    String(peer.as),
    peer.state,
    ago(peer.since, now),
    peer.converged ? 'yes' : 'no',
    String(peer.routes),
    String(peer.stale_routes),
    peer.last_error ?? '',
  ]);
  const table = renderTable(
    ['PEER', 'ADDRESS', 'AS', 'STATE', 'FOR', 'CONVERGED', 'ROUTES', 'STALE', 'LAST ERROR'],
    rows,
    'llrlrlrrl',
    p.bold,
  );
  return table + list.map(notes).join('');
}

/** What most peers do not have, a line each. */
function notes(peer: PeerSummary): string {
  const lines = (peer.long_lived ?? []).map((l) => {
    const shorter = l.stale_time < l.asked ? ` of the ${l.asked}s asked for` : '';
    return `${peer.name}: ${l.family} long-lived stale time ${l.stale_time}s${shorter}${l.forwarding_preserved ? ', forwarding preserved' : ''}\n`;
  });
  if (peer.leaked > 0) lines.push(`${peer.name}: ${peer.leaked} announcements were route leaks (RFC 9234) and give nothing\n`);
  for (const family of peer.not_refreshed ?? []) {
    lines.push(`${peer.name}: ${family} was not sent again after a reload: what no set wanted before is missing until its next session\n`);
  }
  return lines.join('');
}
