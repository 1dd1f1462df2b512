import type { PortRange } from '../../model/firewall.ts';
import { type ChainImage, type Match, type RuleImage, type SetImage, TABLE_COMMENT, type TableImage } from './image.ts';
import { ICMP_CODES, ICMP_TYPES } from './numbers.ts';
import type { KernelPlan, KernelTarget } from './targets.ts';

/**
 * An nft script that makes the table: what Weir writes, without the flags that tie it to the process. It replaces a table of that name. Members are not in it.
 */
export function printTable(table: TableImage): string {
  const name = `inet ${table.name}`;
  const parts = [...table.sets.map(printSet), ...table.chains.map(printChain)];
  return `table ${name}\ndelete table ${name}\ntable ${name} {\n\tcomment "${TABLE_COMMENT}"\n\n${parts.join('\n')}}\n`;
}

/**
 * What `weir setup --print` prints: for the user's tables the sets that Weir fills, for its own table what it writes. `nft -f` adds what is missing and leaves the
 * rest as it is.
 */
export function printSetup(plan: KernelPlan): string {
  const tables = new Map<string, KernelTarget[]>();
  for (const target of plan.targets) {
    if (target.place.kind !== 'user') continue;
    const name = `${target.place.family} ${target.place.table}`;
    tables.set(name, [...(tables.get(name) ?? []), target]);
  }
  const parts = [...tables].map(([name, targets]) => `table ${name} {\n${targets.map(printUserSet).join('\n')}}\n`);
  if (plan.table) parts.push(`# Written by weir run, at its start and when the configuration changes.\n${printTable(plan.table)}`);
  return parts.join('\n');
}

/** The script that makes one set of the user's table, and the table where there is none. */
export function printUserTarget(target: KernelTarget): string {
  if (target.place.kind !== 'user') return '';
  return `table ${target.place.family} ${target.place.table} {\n${printUserSet(target)}}\n`;
}

function printUserSet(target: KernelTarget): string {
  if (target.place.kind !== 'user') return '';
  // A set of hosts is a hash set, but a route may be any prefix: an interval set holds them all.
  return `\tset ${target.place.set} {\n\t\ttype ${typeOf(target.family)}\n\t\tflags interval\n\t}\n`;
}

function printSet(set: SetImage): string {
  const size = set.size === undefined ? '' : `\t\tsize ${set.size}\n`;
  const flags = set.interval ? '\t\tflags interval\n' : '';
  return `\tset ${set.name} {\n\t\ttype ${typeOf(set.family)}\n${size}${flags}\t\tcomment "${set.comment}"\n\t}\n`;
}

function typeOf(family: 4 | 6): string {
  return family === 4 ? 'ipv4_addr' : 'ipv6_addr';
}

function printChain(chain: ChainImage): string {
  const hook = chain.hook === undefined ? '' : `\t\ttype filter hook ${chain.hook} priority filter; policy accept;\n`;
  return `\tchain ${chain.name} {\n${hook}${chain.rules.map((rule) => `\t\t${printRule(rule)}\n`).join('')}\t}\n`;
}

/** One rule as nft reads it. */
export function printRule(rule: RuleImage): string {
  const verdict = rule.verdict.kind === 'jump' ? `jump ${rule.verdict.chain}` : rule.verdict.kind;
  return [...rule.matches.map(printMatch), 'counter', verdict, `comment "${rule.name}"`].join(' ');
}

export function printMatch(match: Match): string {
  switch (match.kind) {
    case 'interface':
      return `${match.direction === 'in' ? 'iifname' : 'oifname'} "${match.name}"`;
    case 'member':
      return `${match.family === 4 ? 'ip' : 'ip6'} ${match.side === 'source' ? 'saddr' : 'daddr'} ${match.absent ? '!= ' : ''}@${match.set}`;
    case 'address':
      return `${match.family === 4 ? 'ip' : 'ip6'} ${match.side === 'source' ? 'saddr' : 'daddr'} ${hostOrPrefix(match.prefix)}`;
    case 'protocol':
      return `meta l4proto ${match.protocol === 'icmpv6' ? 'ipv6-icmp' : match.protocol}`;
    case 'port':
      return `${match.protocol} ${match.side === 'source' ? 'sport' : 'dport'} ${choice(match.ranges.map(printRange))}`;
    case 'icmp': {
      const names = match.types.map((type) => ICMP_TYPES[match.family][type] ?? String(type));
      const code = match.code === undefined ? '' : ` icmp code ${ICMP_CODES[match.code] ?? match.code}`;
      return `${match.family === 4 ? 'icmp' : 'icmpv6'} type ${choice(names)}${code}`;
    }
    case 'hop-limit':
      return `ip6 hoplimit ${match.value}`;
    case 'tcp-not-first':
      return 'tcp flags & (fin | syn | rst | ack) != syn';
    case 'connection':
      return `ct state ${match.states.join(',')}`;
  }
}

function hostOrPrefix(prefix: string): string {
  return prefix.replace(prefix.includes(':') ? /\/128$/ : /\/32$/, '');
}

function printRange(range: PortRange): string {
  return range.from === range.to ? String(range.from) : `${range.from}-${range.to}`;
}

function choice(values: readonly string[]): string {
  return values.length === 1 ? (values[0] ?? '') : `{ ${values.join(', ')} }`;
}
