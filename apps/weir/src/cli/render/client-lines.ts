import type { ClientSummary } from '../../api/index.ts';
import { escapeControl } from './escape.ts';
import { plural } from './units.ts';

/** Clients of what is distributed, a line each: `client hosts: 12 sessions; 3 prefixes contributed; refused: 2 outside`. */
export function clientLines(clients: readonly ClientSummary[] = []): readonly string[] {
  return clients.map(({ client, sessions, contributed, refused }) => {
    const reasons = Object.entries(refused).map(([reason, count]) => `${count} ${reason}`);
    const more = [
      ...(contributed > 0 ? [`${contributed} ${contributed === 1 ? 'prefix' : 'prefixes'} contributed`] : []),
      ...(reasons.length > 0 ? [`refused: ${reasons.join(', ')}`] : []),
    ];
    return escapeControl([`client ${client}: ${plural(sessions, 'session')}`, ...more].join('; '));
  });
}
