import type { Family } from '@weir/wire/inet';
import { isLimit } from '../expressions.ts';
import { FIELDS, fieldInfo } from '../fields.ts';
import type { FieldRange, MapKey, Match, RuleImage } from '../image.ts';
import { isInterface } from '../map-keys.ts';

/** The parts of a packet that a rule of a list can be looked up by, in the order of a key. */
export const AXES = ['in', 'out', 'source', 'destination', 'protocol', 'sport', 'dport'] as const;
export type Axis = (typeof AXES)[number];

/** The values of one key: a range on each axis that the rule asks for. */
export type KeyBox = { readonly [A in Axis]?: FieldRange };

/** How far into the packet a key looks: all of it has to be there for the lookup. Ports lie behind each other. */
export type Reach = 'none' | 'protocol' | 'sport' | 'dport';

/** A rule of a list as keys of a map, and what is left to be asked where they lead. */
export interface KeyedRule {
  readonly image: RuleImage;
  readonly index: number;
  readonly boxes: readonly KeyBox[];
  readonly rest: readonly Match[];
  /** Of the addresses in the key; undefined where there are none. */
  readonly addresses: Family | undefined;
  readonly reach: Reach;
  /** Of the ports in the key. */
  readonly transport: number | undefined;
}

/** More keys than these are too many for one rule: the field that has the most values is asked where they lead. */
const MOST_BOXES = 16;

const PORTS: Readonly<Record<number, readonly [MapKey, MapKey]>> = {
  6: ['tcpSport', 'tcpDport'],
  17: ['udpSport', 'udpDport'],
  132: ['sctpSport', 'sctpDport'],
};

const AXIS_OF: Readonly<Record<string, Axis>> = {
  saddr4: 'source',
  saddr6: 'source',
  daddr4: 'destination',
  daddr6: 'destination',
  protocol: 'protocol',
  tcpSport: 'sport',
  udpSport: 'sport',
  sctpSport: 'sport',
  tcpDport: 'dport',
  udpDport: 'dport',
  sctpDport: 'dport',
};

/** What a key has on an axis for rules of these addresses and this transport. */
export function keyField(axis: Axis, addresses: Family | undefined, transport: number | undefined): MapKey {
  switch (axis) {
    case 'in':
      return 'iifname';
    case 'out':
      return 'oifname';
    case 'source':
      return addresses === 6 ? 'saddr6' : 'saddr4';
    case 'destination':
      return addresses === 6 ? 'daddr6' : 'daddr4';
    case 'protocol':
      return 'protocol';
    case 'sport':
    case 'dport':
      return PORTS[transport ?? 0]?.[axis === 'sport' ? 0 : 1] ?? 'protocol';
  }
}

interface Asked {
  readonly axis: Axis;
  readonly match: Match;
  readonly ranges: readonly FieldRange[];
}

const keyed = new WeakMap<RuleImage, KeyedRule>();

/** A rule by the fields that maps have keys for; what else it asks is the rest. */
export function keyedRule(image: RuleImage, index: number): KeyedRule {
  const known = keyed.get(image) ?? makeKeyed(image, index);
  keyed.set(image, known);
  return known.index === index ? known : { ...known, index };
}

function makeKeyed(image: RuleImage, index: number): KeyedRule {
  const asked: Asked[] = [];
  const rest: Match[] = [];
  let addresses: Family | undefined;
  let transport: number | undefined;
  for (const match of image.matches) {
    const axis = axisOf(match);
    if (!axis || asked.some((one) => one.axis === axis)) {
      rest.push(match);
      continue;
    }
    if (match.kind === 'field') {
      const { family, protocol } = fieldInfo(match.field);
      addresses ??= family;
      transport ??= protocol;
    }
    asked.push({ axis, match, ranges: rangesOf(match) });
  }
  narrow(asked, rest);
  const axes = new Set(asked.map((one) => one.axis));
  return {
    image,
    index,
    boxes: product(asked),
    rest,
    addresses: axes.has('source') || axes.has('destination') ? addresses : undefined,
    reach: axes.has('dport') ? 'dport' : axes.has('sport') ? 'sport' : axes.has('protocol') ? 'protocol' : 'none',
    transport: axes.has('sport') || axes.has('dport') ? transport : undefined,
  };
}

/** A rule that can be led to: nothing of it has to stand in the list itself. */
export function canBeLedTo({ verdict, statements = [] }: RuleImage): boolean {
  return verdict.kind !== 'return' && verdict.kind !== 'map' && verdict.kind !== 'lookup' && !statements.some(isLimit);
}

function axisOf(match: Match): Axis | undefined {
  switch (match.kind) {
    case 'interface':
      return match.not || match.name.endsWith('*') ? undefined : match.direction;
    case 'interfaces':
      return match.not ? undefined : match.direction;
    case 'field':
      return match.not || typeof match.field !== 'string' ? undefined : AXIS_OF[match.field];
    default:
      return undefined;
  }
}

function rangesOf(match: Match): readonly FieldRange[] {
  if (match.kind === 'interface') return [[match.name, match.name]];
  if (match.kind === 'interfaces') return match.names.map((name) => [name, name]);
  return match.kind === 'field' ? match.ranges : [];
}

/** Until there are few enough keys. */
function narrow(asked: Asked[], rest: Match[]): void {
  for (;;) {
    const count = asked.reduce((all, { ranges }) => all * ranges.length, 1);
    if (count <= MOST_BOXES) return;
    const most = asked.reduce((a, b) => (b.ranges.length > a.ranges.length ? b : a));
    asked.splice(asked.indexOf(most), 1);
    rest.push(most.match);
  }
}

function product(asked: readonly Asked[]): readonly KeyBox[] {
  let boxes: readonly KeyBox[] = [{}];
  for (const { axis, ranges } of asked) boxes = boxes.flatMap((box) => ranges.map((range) => ({ ...box, [axis]: range })));
  return boxes;
}

/** Whether a range is one value. */
export function isExact([first, last]: FieldRange): boolean {
  return first === last;
}

/** All values of an axis: what a key says for a rule that does not ask. */
export function everyValue(key: MapKey): FieldRange {
  if (isInterface(key)) throw new RangeError(`every ${key}`);
  switch (FIELDS[key].typeName) {
    case 'ipv4_addr':
      return ['0.0.0.0', '255.255.255.255'];
    case 'ipv6_addr':
      return ['::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'];
    default:
      return [0, 2 ** FIELDS[key].bits - 1];
  }
}
