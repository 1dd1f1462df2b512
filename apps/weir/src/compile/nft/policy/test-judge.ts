import { parseIp } from '@weir/wire/inet';
import type { FieldName } from '../fields.ts';
import { FIELDS } from '../fields.ts';
import type { FieldRange, FieldValue, MapKey, Match, TableImage } from '../image.ts';

/** A packet as a table sees it; a field that is not there is missing. */
export interface TestPacket {
  readonly family: 4 | 6;
  readonly in?: string;
  readonly values: { readonly [F in FieldName]?: FieldValue };
}

export interface Judged {
  /** Names of the rules that count the packet, in order. */
  readonly counted: readonly string[];
  /** Rules that it comes past. */
  readonly steps: number;
  readonly verdict: string;
}

/** What a table makes of a packet at the hook input: the kernel in a few lines, without connections and members. */
export function judgeTable(table: TableImage, packet: TestPacket): Judged {
  const chains = new Map(table.chains.map((chain) => [chain.name, chain.rules]));
  const counted: string[] = [];
  let steps = 0;
  const run = (name: string): string | undefined => {
    for (const rule of chains.get(name) ?? []) {
      steps++;
      if (!rule.matches.every((match) => holds(packet, match))) continue;
      let { verdict } = rule;
      if (verdict.kind === 'map' || verdict.kind === 'lookup') {
        const found = foundIn(table, packet, verdict);
        if (!found) continue;
        verdict = found;
      }
      if (rule.count !== false) counted.push(rule.name);
      if (verdict.kind === 'jump') {
        const result = run(verdict.chain);
        if (result !== undefined) return result;
      } else if (verdict.kind === 'goto') return run(verdict.chain);
      else if (verdict.kind === 'return') return undefined;
      else if (verdict.kind !== 'continue') return verdict.kind;
    }
    return undefined;
  };
  return { verdict: run('input') ?? 'accept', counted, steps };
}

type Leading = Extract<TableImage['chains'][number]['rules'][number]['verdict'], { kind: 'map' | 'lookup' }>;

/** Where a map leads a packet. Throws where two elements do: the kernel has no order among them. */
function foundIn(
  table: TableImage,
  packet: TestPacket,
  verdict: Leading,
): { readonly kind: 'jump' | 'goto'; readonly chain: string } | undefined {
  const keys = verdict.kind === 'map' ? [verdict.field] : verdict.keys;
  const values = keys.map((key) => fieldOf(packet, key));
  if (values.some((value) => value === undefined)) return undefined;
  const elements =
    verdict.kind === 'map'
      ? table.maps?.find((one) => one.name === verdict.map)?.elements.map((e) => ({ key: [[e.from, e.to] as const], verdict: e.verdict }))
      : table.lookups?.find((one) => one.name === verdict.map)?.elements;
  if (!elements) throw new Error(`no map ${verdict.map}`);
  const found = elements.filter(({ key }) => key.every((range, i) => inside(values[i] as FieldValue, range)));
  if (found.length > 1) throw new Error(`two elements of ${verdict.map} meet`);
  return found[0]?.verdict;
}

function fieldOf({ family, in: name, values }: TestPacket, key: MapKey): FieldValue | undefined {
  if (key === 'iifname') return name;
  if (key === 'oifname') return undefined;
  const info = FIELDS[key];
  if (info.family !== undefined && info.family !== family) return undefined;
  if (info.protocol !== undefined && info.protocol !== values.protocol) return undefined;
  return values[key];
}

function holds(packet: TestPacket, match: Match): boolean {
  switch (match.kind) {
    case 'family':
      return match.family === packet.family;
    case 'interface':
      return (packet.in === match.name) !== (match.not ?? false);
    case 'interfaces':
      return match.names.includes(packet.in ?? '') !== (match.not ?? false);
    case 'field': {
      if (typeof match.field !== 'string') throw new Error('a slice is not known here');
      const value = fieldOf(packet, match.field);
      return value !== undefined && match.ranges.some((range) => inside(value, range)) !== (match.not ?? false);
    }
    default:
      throw new Error(`not known here: ${match.kind}`);
  }
}

function inside(value: FieldValue, [first, last]: FieldRange): boolean {
  if (typeof value === 'string' && !parseIp(value)) return value === first;
  return order(first) <= order(value) && order(value) <= order(last);
}

function order(value: FieldValue): bigint {
  if (typeof value === 'number') return BigInt(value);
  const ip = parseIp(value);
  if (!ip) throw new Error(`not an address: ${value}`);
  return [ip.w0, ip.w1, ip.w2, ip.w3].reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
}
