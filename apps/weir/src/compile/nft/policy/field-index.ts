import { ipToInt } from '@weir/filter/ir';
import { parseIp } from '@weir/wire/inet';
import { FIELDS } from '../fields.ts';
import type { FieldRange, FieldValue, RuleImage } from '../image.ts';

/** Fields that a list of rules can be taken apart by: those that maps have keys for and that rules ask for most. */
export type SplitField = 'saddr4' | 'daddr4' | 'saddr6' | 'daddr6' | 'protocol' | 'tcpDport' | 'udpDport' | 'tcpSport' | 'udpSport';

export const SPLIT_FIELDS: readonly SplitField[] = [
  'saddr4',
  'daddr4',
  'saddr6',
  'daddr6',
  'protocol',
  'tcpDport',
  'udpDport',
  'tcpSport',
  'udpSport',
];

/** A range of values that can be compared: `first` to `last`, and how the image writes them. */
export interface Span {
  readonly first: number | bigint;
  readonly last: number | bigint;
  readonly range: FieldRange;
}

/** A rule of a list, by what a packet must have to meet it. */
export interface ListItem {
  readonly image: RuleImage;
  /** Its place in the list. */
  readonly index: number;
  readonly family: 4 | 6 | undefined;
  readonly protocol: number | undefined;
  readonly spans: { readonly [F in SplitField]?: readonly Span[] };
}

/** What the conditions of a rule say about the fields; what they do not say plainly does not matter here. */
export function listItem(image: RuleImage, index: number): ListItem {
  let family: 4 | 6 | undefined;
  let protocol: number | undefined;
  const spans: { [F in SplitField]?: readonly Span[] } = {};
  for (const match of image.matches) {
    if (match.kind === 'family' || match.kind === 'member') family ??= match.family;
    if (match.kind !== 'field' && match.kind !== 'bits') continue;
    const info = typeof match.field === 'string' ? FIELDS[match.field] : match.field;
    family ??= info.family;
    protocol ??= info.protocol;
    if (match.kind === 'bits' || match.not) continue;
    const field = SPLIT_FIELDS.find((one) => one === match.field);
    if (field) spans[field] ??= match.ranges.map(spanOf);
  }
  if (protocol !== undefined) spans.protocol ??= [spanOf([protocol, protocol])];
  const [only] = spans.protocol ?? [];
  if (only && spans.protocol?.length === 1 && only.first === only.last) protocol ??= Number(only.first);
  return { image, index, family, protocol, spans };
}

/** Whether a packet that has the field can meet the rule. */
export function canHave(item: ListItem, field: SplitField): boolean {
  const { family, protocol } = FIELDS[field];
  if (family !== undefined && item.family !== undefined && family !== item.family) return false;
  if (protocol === undefined) return true;
  if (item.protocol !== undefined) return item.protocol === protocol;
  return item.spans.protocol?.some(({ first, last }) => first <= protocol && protocol <= last) ?? true;
}

function spanOf(range: FieldRange): Span {
  const first = comparable(range[0]);
  return { first, last: range[0] === range[1] ? first : comparable(range[1]), range };
}

/** IPv6 addresses are big integers all of them, so that they compare at one speed. */
export function comparable(value: FieldValue): number | bigint {
  if (typeof value === 'number') return value;
  const ip = parseIp(value);
  if (!ip) throw new RangeError(`not an address: ${value}`);
  return ipToInt(ip);
}
