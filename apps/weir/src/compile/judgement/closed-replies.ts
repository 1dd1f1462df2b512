import type { Family } from '@weir/wire/inet';
import type { Border, BorderAllow } from '../../model/firewall.ts';
import type { NamedSet } from '../../model/named-set.ts';
import type { Draft } from './base.ts';
import { all, inSet, NOT_FIRST, onInterface, onPorts, within } from './write.ts';

const FAMILIES: readonly Family[] = [4, 6];

/**
 * What a border needs behind it where a set cuts connections: deleting a connection's entry is not enough when the service talks, for conntrack would
 * take its next segment for a new connection that the service began, and the client's answers for established. So new packets on their way back are
 * dropped when they can only be the rest of such a connection. Empty where no set cuts.
 */
export function closedReplyDrafts(border: Border, sets: readonly NamedSet[]): Draft[] {
  if (border.default !== 'drop') return [];
  const out = onInterface('oif', border.from);
  const way = border.to === 'local' ? out : all(onInterface('iif', border.to), out);
  // What another set of the border still lets in is not closed.
  const open = [...new Set(border.allow.map((one) => one.set))].map((set) => `not ${inSet('src', set)}`);
  return border.allow.flatMap((allow) => {
    const set = sets.find((one) => one.name === allow.set);
    if (set?.onWithdraw !== 'cut') return [];
    return services(set, allow).map((service) => ({ name: `cut ${set.name}`, text: all(way, 'ct.new', service, ...open) }));
  });
}

function services(set: NamedSet, allow: BorderAllow): string[] {
  const prefixes = set.guard.prefixes ?? [];
  const inGuard = FAMILIES.some((family) => prefixes.some((p) => p.family === family)) ? [within('src', prefixes)] : [];
  switch (allow.protocol) {
    case 'icmp':
      // An answer without its question is not new but invalid.
      return [];
    case 'udp':
      // Where every port is open nothing tells an answer from a question.
      return allow.ports.length === 0 ? [] : inGuard.map((guard) => all(guard, onPorts('udp', 'src', allow.ports)));
    case 'tcp':
      if (allow.ports.length > 0) return [all(onPorts('tcp', 'src', allow.ports), NOT_FIRST)];
      return inGuard.map((guard) => all(guard, onPorts('tcp', 'src', []), NOT_FIRST));
    case 'any':
      return inGuard.map((guard) => all(guard, onPorts('tcp', 'src', []), NOT_FIRST));
  }
}
