import { bitsOf, printIp } from '@weir/wire/inet';
import { isLimit } from './expressions.ts';
import { FIELDS } from './fields.ts';
import {
  type ChainImage,
  type FieldRange,
  type LimitImage,
  type LookupImage,
  type MapImage,
  type MapKey,
  type MeterImage,
  type RuleImage,
  type RuleStatement,
  type RuleVerdict,
  type SetImage,
  TABLE_COMMENT,
  type TableImage,
} from './image.ts';
import { isInterface, keyType, printKeys } from './map-keys.ts';
import { maskAddress } from './match-expressions.ts';
import { TCP } from './numbers.ts';
import { MatchPrinter, printAddress, printRange } from './print-match.ts';
import type { KernelPlan, KernelTarget } from './targets.ts';

/**
 * An nft script that makes the table: what Weir writes, without the flags that tie it to the process. It replaces a table of that name. Members are not in it.
 */
export function printTable(table: TableImage): string {
  const name = `inet ${table.name}`;
  const parts = [
    ...table.sets.map(printSet),
    ...(table.meters ?? []).map(printMeter),
    ...(table.maps ?? []).map(printMap),
    ...(table.lookups ?? []).map(printLookup),
    ...table.chains.map(printChain),
  ];
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

function printMap(map: MapImage): string {
  const info = FIELDS[map.field];
  const lines = map.elements.map(({ from, to, verdict }) => `\t\t\t${printRange(info, [from, to])} : ${verdict.kind} ${verdict.chain}`);
  const elements = lines.length === 0 ? '' : `\t\telements = {\n${lines.join(',\n')}\n\t\t}\n`;
  return `\tmap ${map.name} {\n\t\ttype ${info.typeName ?? 'integer'} : verdict\n\t\tflags interval\n${elements}\t}\n`;
}

function printLookup({ name, keys, ranges, elements }: LookupImage): string {
  const lines = elements.map(({ key, verdict }) => {
    const parts = key.map((range, i) => printKey(keys[i] ?? 'protocol', range));
    return `\t\t\t${parts.join(' . ')} : ${verdict.kind} ${verdict.chain}`;
  });
  const flags = ranges ? '\t\tflags interval\n' : '';
  const type = keys.map(keyType).join(' . ');
  return `\tmap ${name} {\n\t\ttype ${type} : verdict\n${flags}\t\telements = {\n${lines.join(',\n')}\n\t\t}\n\t}\n`;
}

function printKey(key: MapKey, range: FieldRange): string {
  return isInterface(key) ? `"${range[0]}"` : printRange(FIELDS[key], range);
}

function printMeter(meter: MeterImage): string {
  const lines = [`type ${typeOf(meter.family)}`, `size ${meter.size}`, 'flags dynamic,timeout', `timeout ${meter.timeout}s`];
  return `\tset ${meter.name} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`;
}

function printChain(chain: ChainImage): string {
  const priority = chain.priority === undefined || chain.priority === 0 ? 'filter' : String(chain.priority);
  const hook = chain.hook === undefined ? '' : `\t\ttype filter hook ${chain.hook} priority ${priority}; policy accept;\n`;
  return `\tchain ${chain.name} {\n${hook}${chain.rules.map((rule) => `\t\t${printRule(rule)}\n`).join('')}\t}\n`;
}

/** One rule as nft reads it. What asks a program is a remark: nft can list that, and not read it. */
function printRule(rule: RuleImage): string {
  return rule.matches.some((match) => match.kind === 'program') ? `# ${ruleText(rule)}` : ruleText(rule);
}

function ruleText(rule: RuleImage): string {
  const printer = new MatchPrinter();
  const matches = rule.matches.map((match) => printer.print(match));
  const statements = rule.statements ?? [];
  const limits = statements.filter(isLimit).map(printStatement);
  if (rule.verdict.kind === 'reject' && rule.verdict.with === 'tcp-reset') matches.push(printer.needProtocol(TCP));
  const effects = statements.filter((statement) => !isLimit(statement)).map(printStatement);
  const counter = rule.count === false ? '' : 'counter';
  const parts = [...matches, ...limits, counter, ...effects, printVerdict(rule.verdict), `comment "${rule.name}"`];
  return parts.filter((part) => part !== '').join(' ');
}

function printStatement(statement: RuleStatement): string {
  switch (statement.kind) {
    case 'sample':
      return `numgen inc mod ${statement.every} 0`;
    case 'limit':
      return printLimit(statement.limit, statement.over);
    case 'meter': {
      const { set, limit } = statement;
      return `update @${set} { ${printAddress(statement)} ${printLimit(limit)} }`;
    }
    case 'log':
      return `log prefix "${statement.prefix}" group ${statement.group}`;
    case 'mark':
      return `meta mark set 0x${statement.mark.toString(16)}`;
    case 'dscp':
      return `${statement.family === 4 ? 'ip' : 'ip6'} dscp set 0x${statement.dscp.toString(16).padStart(2, '0')}`;
  }
}

function printLimit({ unit, rate, burst }: LimitImage, over = false): string {
  const word = over ? 'limit rate over' : 'limit rate';
  return unit === 'packets' ? `${word} ${rate}/second burst ${burst} packets` : `${word} ${rate} bytes/second burst ${burst} bytes`;
}

function printVerdict(verdict: RuleVerdict): string {
  switch (verdict.kind) {
    case 'continue':
      return '';
    case 'accept':
    case 'drop':
    case 'return':
      return verdict.kind;
    case 'jump':
    case 'goto':
      return `${verdict.kind} ${verdict.chain}`;
    case 'reject':
      return verdict.with === 'tcp-reset' ? 'reject with tcp reset' : `reject with icmpx ${verdict.with}`;
    case 'map':
      return `${FIELDS[verdict.field].text} vmap @${verdict.map}`;
    case 'lookup':
      return `${printKeys(verdict.keys)}${printMask(verdict.keys, verdict.bits)} vmap @${verdict.map}`;
  }
}

/** ` & 255.255.255.0` */
function printMask([key]: readonly MapKey[], bits: number | undefined): string {
  const family = key === undefined || isInterface(key) ? undefined : FIELDS[key].family;
  return bits === undefined || family === undefined || bits === bitsOf(family) ? '' : ` & ${printIp(maskAddress(family, bits))}`;
}
