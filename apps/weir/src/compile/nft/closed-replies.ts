import type { Family } from '@weir/wire/inet';
import { printPrefix } from '@weir/wire/inet';
import type { Border, BorderAllow } from '../../model/firewall.ts';
import type { NamedSet } from '../../model/named-set.ts';
import type { ChainImage, Match, RuleImage } from './image.ts';
import { mergeRanges } from './ports.ts';
import { ownedSetNames } from './set-names.ts';

const FAMILIES: readonly Family[] = [4, 6];

/**
 * What a border needs behind it where a set cuts connections: deleting a connection's entry is not enough when the service talks, for conntrack would
 * take its next segment for a new connection that the service began, and the client's answers for established. The chain judges new packets on their way
 * back and drops those that can only be the rest of such a connection. Undefined where no set cuts.
 */
export function closedReplies(border: Border, sets: readonly NamedSet[]): ChainImage | undefined {
  if (border.default !== 'drop') return undefined;
  const rules = border.allow.flatMap((allow) => {
    const set = sets.find((one) => one.name === allow.set);
    return set?.onWithdraw === 'cut' ? FAMILIES.flatMap((family) => dropRules(border, set, allow, family)) : [];
  });
  return rules.length === 0 ? undefined : { name: `cut_${border.name}`, hook: undefined, rules };
}

/** From a hook into that chain: only new packets, the other way round. */
export function closedReplyEntries(border: Border, chain: ChainImage): RuleImage[] {
  const backwards = (name: string): Match => ({ kind: 'interface', direction: 'out', name });
  const rule = (matches: readonly Match[]): RuleImage => ({
    name: `replies ${border.name}`,
    matches: [...matches, { kind: 'connection', states: ['new'] }],
    verdict: { kind: 'jump', chain: chain.name },
  });
  const { to } = border;
  if (to === 'local') return border.from.map((from) => rule([backwards(from)]));
  return border.from.flatMap((from) => to.map((name) => rule([{ kind: 'interface', direction: 'in', name }, backwards(from)])));
}

function dropRules(border: Border, set: NamedSet, allow: BorderAllow, family: Family): RuleImage[] {
  const name = `cut ${set.name}`;
  // What another set of the border still lets in is not closed.
  const closed = [...new Set(border.allow.map((one) => one.set))].flatMap((one): Match[] => {
    const { hosts, networks } = ownedSetNames(one, family);
    return [hosts, networks].map((kernelSet) => ({ kind: 'member', family, side: 'source', set: kernelSet, absent: true }));
  });
  const drop = (matches: readonly Match[]): RuleImage => ({ name, matches: [...matches, ...closed], verdict: { kind: 'drop' } });
  const ports = (protocol: 'tcp' | 'udp'): Match => ({ kind: 'port', protocol, side: 'source', ranges: mergeRanges(allow.ports) });
  const within = (set.guard.prefixes ?? [])
    .filter((prefix) => prefix.family === family)
    .map((prefix): Match => ({ kind: 'address', family, side: 'source', prefix: printPrefix(prefix) }));
  switch (allow.protocol) {
    case 'icmp':
      // An answer without its question is not new but invalid.
      return [];
    case 'udp':
      // Where every port is open nothing tells an answer from a question.
      return allow.ports.length === 0 ? [] : within.map((prefix) => drop([prefix, ports('udp')]));
    case 'tcp':
      if (allow.ports.length > 0) return [drop([ports('tcp'), { kind: 'tcp-not-first' }])];
      return within.map((prefix) => drop([prefix, { kind: 'tcp-not-first' }]));
    case 'any':
      return within.map((prefix) => drop([prefix, { kind: 'tcp-not-first' }]));
  }
}
