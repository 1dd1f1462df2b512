import type { Family } from '@weir/wire/inet';
import type { BgpConfig } from '../../model/config.ts';
import type { BaseRules, Border, BorderAllow, Firewall } from '../../model/firewall.ts';
import type { NamedSet } from '../../model/named-set.ts';
import { pathMtuRules, protectedRules } from './base.ts';
import { closedReplies, closedReplyEntries } from './closed-replies.ts';
import type { ChainImage, Match, RuleImage, TableImage } from './image.ts';
import { ownedSets } from './owned-sets.ts';
import { mergeRanges } from './ports.ts';
import { ownedSetNames } from './set-names.ts';

const FAMILIES: readonly Family[] = [4, 6];
/** nf_tables keeps a rule's name as its comment, of 127 bytes at most. */
const MAX_NAME = 127;

/** The table that a `firewall:` section asks for, with the sets that have no table of the user's. The order of judgement is DESIGN's. */
export function compileFirewall(firewall: Firewall, sets: readonly NamedSet[], bgp: BgpConfig): TableImage {
  const owned = sets.filter((set) => set.target.kind === 'owned');
  const local = firewall.borders.filter((border) => border.to === 'local');
  const forward = firewall.borders.filter((border) => border.to !== 'local');
  const base = protectedRules(firewall.base, bgp);
  const chains: ChainImage[] = [];
  const protects = local.length > 0 && base.length > 0;
  if (protects) chains.push({ name: 'base', hook: undefined, rules: base });
  for (const border of firewall.borders) chains.push(borderChain(border, firewall.base, protects));
  const back = (borders: readonly Border[]): RuleImage[] =>
    borders.flatMap((border) => {
      const chain = closedReplies(border, owned);
      if (chain) chains.push(chain);
      return chain ? closedReplyEntries(border, chain) : [];
    });
  const replies = { forward: back(forward), output: back(local) };
  if (local.length > 0) chains.push({ name: 'input', hook: 'input', rules: local.flatMap(entryRules) });
  if (forward.length > 0) chains.push({ name: 'forward', hook: 'forward', rules: [...replies.forward, ...forward.flatMap(entryRules)] });
  if (replies.output.length > 0) chains.push({ name: 'output', hook: 'output', rules: replies.output });
  return { name: firewall.table, sets: owned.flatMap(ownedSets), chains };
}

function chainOf(border: Border): string {
  return `border_${border.name}`;
}

/** From a hook into the chain of a border: a rule for each pair of interfaces. */
function entryRules(border: Border): RuleImage[] {
  const verdict = { kind: 'jump', chain: chainOf(border) } as const;
  return border.from.flatMap((from): RuleImage[] => {
    const incoming: Match = { kind: 'interface', direction: 'in', name: from };
    if (border.to === 'local') return [{ name: `border ${border.name}`, matches: [incoming], verdict }];
    return border.to.map((to) => ({
      name: `border ${border.name}`,
      matches: [incoming, { kind: 'interface', direction: 'out', name: to }],
      verdict,
    }));
  });
}

function borderChain(border: Border, base: BaseRules, protects: boolean): ChainImage {
  const rules: RuleImage[] = [];
  if (border.to === 'local' && protects) rules.push({ name: 'base', matches: [], verdict: { kind: 'jump', chain: 'base' } });
  for (const deny of border.deny) {
    rules.push(...memberRules(`deny ${deny.set}`, deny.set, 'source', () => [], { kind: 'drop' }));
  }
  if (border.established && base.established) {
    rules.push({ name: 'established', matches: [{ kind: 'connection', states: ['established', 'related'] }], verdict: { kind: 'accept' } });
  }
  if (border.default === 'drop') rules.push(...pathMtuRules(base));
  for (const allow of border.allow) {
    rules.push(...memberRules(allowName(allow), allow.set, 'destination', (family) => service(allow, family), { kind: 'accept' }));
  }
  rules.push({ name: `default ${border.name}`, matches: [], verdict: { kind: border.default } });
  return { name: chainOf(border), hook: undefined, rules };
}

function memberRules(
  name: string,
  set: string,
  side: 'source' | 'destination',
  further: (family: Family) => Match[],
  verdict: RuleImage['verdict'],
): RuleImage[] {
  return FAMILIES.flatMap((family) => {
    const names = ownedSetNames(set, family);
    return [names.hosts, names.networks].map((kernelSet) => ({
      name,
      matches: [{ kind: 'member', family, side, set: kernelSet } as const, ...further(family)],
      verdict,
    }));
  });
}

function service(allow: BorderAllow, family: Family): Match[] {
  switch (allow.protocol) {
    case 'any':
      return [];
    case 'icmp':
      return [{ kind: 'protocol', protocol: family === 4 ? 'icmp' : 'icmpv6' }];
    case 'tcp':
    case 'udp':
      if (allow.ports.length === 0) return [{ kind: 'protocol', protocol: allow.protocol }];
      return [{ kind: 'port', protocol: allow.protocol, side: 'destination', ranges: mergeRanges(allow.ports) }];
  }
}

function allowName(allow: BorderAllow): string {
  const ports = allow.ports.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
  const name = `allow ${allow.set}${allow.protocol === 'any' ? '' : ` ${allow.protocol}`}${ports && ` ${ports}`}`;
  return name.length <= MAX_NAME ? name : `${name.slice(0, MAX_NAME - 3)}...`;
}
