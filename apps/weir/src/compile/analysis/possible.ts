import type { Axis, Coordinate } from './axis.ts';
import type { Box } from './box.ts';
import { PROTOCOL } from './question.ts';
import { at, hasNumber, intersectRuns, NOTHING, type Runs } from './runs.ts';
import type { Universe } from './universe.ts';

/** One packet: the number of its segment on each axis; 0 is missing. */
export type Point = readonly number[];

/** Fields of a protocol's header in the order of their places: of a header that ends early only the first are there. */
const HEADERS: ReadonlyMap<number, readonly string[]> = new Map([
  [1, ['icmp.type', 'icmp.code']],
  [6, ['srcport', 'dstport', 'tcp.flags', 'tcp.window']],
  [17, ['srcport', 'dstport', 'udp.length']],
  [58, ['icmp.type', 'icmp.code']],
  [132, ['srcport', 'dstport']],
]);

/** Values that make a packet look like one, where there is a choice. */
const PREFERRED: Readonly<Record<string, readonly Coordinate[]>> = {
  [PROTOCOL]: [6, 17, 1, 58, 132],
  'ip.src': [0x20010db8000100000000000000000007n, 0xc6336407],
  'ip.dst': [0x20010db8000200000000000000000005n, 0xcb007105],
  dstport: [443, 80, 53, 22, 8080],
  srcport: [40000],
  'icmp.type': [8, 128],
  'icmp.code': [0],
  'tcp.flags': [2, 18, 16],
  'ip.ttl': [64],
  'ip.hdr_len': [5, 6],
  'ip.len': [40, 60, 28],
  'meta.len': [40, 60, 28],
  'iif.name': ['eth0', 'eth1', 'lo'],
  'oif.name': ['eth0', 'eth1', 'lo'],
};

/** Optional fields that most packets do not have. */
const RARE: ReadonlySet<string> = new Set(['ip.opt.type', 'process.uid', 'cgroup.id']);

/** What is known of a universe beside its axes: computed once. */
interface Traits {
  readonly protocol: number;
  readonly offset: number | undefined;
  readonly fragment: number | undefined;
  /** Of IPv6: more fragments follow. */
  readonly more: number | undefined;
  readonly words: number | undefined;
  readonly option: number | undefined;
  /** Axes that belong to some protocols. */
  readonly layered: readonly number[];
  /** For each axis its segments in the order in which they are tried; then the others. */
  readonly order: readonly (readonly number[])[];
}

const traits = new WeakMap<Universe, Traits>();

/**
 * A packet in the box that can exist, the most usual one; undefined when there is none. Fields of a layer-4 header are there only in packets of its
 * protocol that are not a later part of a fragmented one, and only from the first octet on; options make the header longer.
 */
export function possible(universe: Universe, box: Box): Point | undefined {
  const known = traitsOf(universe);
  const point: number[] = box.map((runs, i) => choose(runs, known.order[i] ?? []));
  for (const { broken } of chooseOption(universe, known, box, point)) {
    for (const later of [false, true]) {
      if (!chooseFragment(universe, known, box, point, later)) continue;
      const protocols = box[known.protocol] ?? NOTHING;
      for (const protocol of segmentsIn(broken ? intersectRuns(protocols, [0, 0]) : protocols, known.order[known.protocol] ?? [])) {
        point[known.protocol] = protocol;
        if (chooseHeader(universe, known, box, point, later)) return point;
      }
    }
  }
  return undefined;
}

/** Puts a length of the IPv4 header and an option that goes with it into the point, one choice after the other. `broken`: less than a header's least length. */
function* chooseOption(universe: Universe, known: Traits, box: Box, point: number[]): Iterable<{ readonly broken: boolean }> {
  const { words, option } = known;
  const lengths = words === undefined ? undefined : universe.axes[words];
  if (words === undefined || lengths === undefined) {
    yield { broken: false };
    return;
  }
  const types = option === undefined ? undefined : (box[option] ?? NOTHING);
  for (const segment of segmentsIn(box[words] ?? NOTHING, known.order[words] ?? [])) {
    const stretch = lengths.segment(segment);
    const [from, to] = [Number(stretch?.from ?? 0), Number(stretch?.to ?? 16)];
    point[words] = segment;
    if (types === undefined || option === undefined) {
      yield { broken: to <= 5 };
      continue;
    }
    const some = firstPresent(types);
    if (from <= 5 && hasNumber(types, 0)) {
      point[option] = 0;
      yield { broken: to <= 5 };
    }
    if (to > 6 && some !== undefined) {
      point[option] = some;
      yield { broken: false };
    }
  }
}

/** `later`: a part of a fragmented packet that is not the first. */
function chooseFragment(universe: Universe, known: Traits, box: Box, point: number[], later: boolean): boolean {
  const { offset, fragment } = known;
  if (universe.family === 6 && (offset !== undefined || known.more !== undefined))
    return PARTS.some((part) => (part.offset === 'later') === later && chooseHeader6(universe, known, box, point, part));
  if (fragment !== undefined) {
    const flags = box[fragment] ?? NOTHING;
    const not = universe.axes[fragment]?.segments([{ from: 0, to: 1 }]) ?? NOTHING;
    const yes = universe.axes[fragment]?.segments([{ from: 1, to: 2 }]) ?? NOTHING;
    if (!later && hasNumber(flags, at(not, 0))) point[fragment] = at(not, 0);
    else if (hasNumber(flags, at(yes, 0))) point[fragment] = at(yes, 0);
    else return false;
  }
  if (offset !== undefined) {
    const offsets = box[offset] ?? NOTHING;
    const axis = universe.axes[offset];
    // Segment 1 begins at 0.
    if (!later) {
      if (!hasNumber(offsets, 1)) return false;
      point[offset] = 1;
    } else {
      const some = [...segmentsIn(offsets, [])].find((s) => s > 1 || Number(axis?.segment(1)?.to ?? 2) > 1);
      if (some === undefined) return false;
      point[offset] = some;
    }
  }
  return true;
}

/** What the fragment header of an IPv6 packet can say, the most usual first. Whether the packet is a fragment follows from it (RFC 6946). */
const PARTS = [
  { offset: 'missing', more: 0, fragment: 0 },
  { offset: 'first', more: 1, fragment: 1 },
  { offset: 'first', more: 0, fragment: 0 },
  { offset: 'later', more: 0, fragment: 1 },
  { offset: 'later', more: 1, fragment: 1 },
] as const;

function chooseHeader6(universe: Universe, known: Traits, box: Box, point: number[], part: (typeof PARTS)[number]): boolean {
  for (const [place, value] of [
    [known.fragment, part.fragment],
    [known.more, part.more],
  ] as const) {
    if (place === undefined) continue;
    const segment = at(universe.axes[place]?.segments([{ from: value, to: value + 1 }]) ?? NOTHING, 0);
    if (!hasNumber(box[place] ?? NOTHING, segment)) return false;
    point[place] = segment;
  }
  if (known.offset === undefined) return true;
  const runs = box[known.offset] ?? NOTHING;
  const axis = universe.axes[known.offset];
  const fits = (segment: number): boolean => {
    const stretch = axis?.segment(segment);
    if (segment === 0 || stretch === undefined) return segment === 0 && part.offset === 'missing';
    return part.offset === 'first' ? stretch.from === 0 : part.offset === 'later' && Number(stretch.to ?? 2) > 1;
  };
  const segment = [...segmentsIn(runs, [])].find(fits);
  if (segment === undefined) return false;
  point[known.offset] = segment;
  return true;
}

function chooseHeader(universe: Universe, known: Traits, box: Box, point: number[], later: boolean): boolean {
  const number = universe.axes[known.protocol]?.segment(point[known.protocol] ?? 0)?.from;
  const header = typeof number === 'number' ? (HEADERS.get(number) ?? []) : [];
  // How many fields of the header are there: all of them, or as many as the box allows.
  const wanted = header.map((key) => universe.index.get(key)).filter((i) => i !== undefined);
  let there = 0;
  if (!later) while (there < wanted.length && firstPresent(box[wanted[there] ?? -1] ?? NOTHING) !== undefined) there++;
  for (const [i, place] of wanted.entries()) if (i >= there && !hasNumber(box[place] ?? NOTHING, 0)) return false;
  for (const place of known.layered) {
    const axis = universe.axes[place];
    const runs = box[place] ?? NOTHING;
    if (axis === undefined) continue;
    const its = typeof number === 'number' && axis.spec.protocols?.includes(number) === true && !later;
    const i = wanted.indexOf(place);
    if (its && (i < 0 || i < there)) {
      const segment = axis.spec.kind === 'atom' ? choose(runs, known.order[place] ?? []) : choose(present(runs), known.order[place] ?? []);
      if (segment < 0) return false;
      point[place] = segment;
    } else {
      // Missing; an atom is not true then.
      const none = axis.spec.kind === 'atom' ? 1 : 0;
      if (!hasNumber(runs, none)) return false;
      point[place] = none;
    }
  }
  return true;
}

/** A packet in the box by chance, which can exist as far as protocols go; undefined when chance did not find one. `random` gives numbers from 0 to below 1. */
export function chance(universe: Universe, box: Box, random: () => number): Point | undefined {
  const known = traitsOf(universe);
  const point = box.map((runs) => anySegment(runs, random));
  const number = universe.axes[known.protocol]?.segment(point[known.protocol] ?? 0)?.from;
  for (const place of known.layered) {
    const axis = universe.axes[place];
    if (axis === undefined) continue;
    const runs = box[place] ?? NOTHING;
    if (typeof number === 'number' && axis.spec.protocols?.includes(number) === true) {
      if (axis.spec.kind !== 'atom' && firstPresent(runs) !== undefined) point[place] = anySegment(present(runs), random);
    } else {
      const none = axis.spec.kind === 'atom' ? 1 : 0;
      if (!hasNumber(runs, none)) return undefined;
      point[place] = none;
    }
  }
  const whole: Box = point.map((segment) => [segment, segment]);
  return possible(universe, whole);
}

function anySegment(runs: Runs, random: () => number): number {
  const run = 2 * Math.floor(random() * (runs.length / 2));
  const first = at(runs, run);
  return first + Math.floor(random() * (at(runs, run + 1) - first + 1));
}

/** The segment that comes first in the order, else the first present one, else missing; -1 when there is none. */
function choose(runs: Runs, order: readonly number[]): number {
  for (const segment of order) if (hasNumber(runs, segment)) return segment;
  return firstPresent(runs) ?? (hasNumber(runs, 0) ? 0 : -1);
}

function firstPresent(runs: Runs): number | undefined {
  if (runs.length === 0) return undefined;
  if (at(runs, 0) > 0) return at(runs, 0);
  return at(runs, 1) > 0 ? 1 : runs[2];
}

function present(runs: Runs): Runs {
  if (runs.length === 0 || at(runs, 0) > 0) return runs;
  return at(runs, 1) > 0 ? [1, ...runs.slice(1)] : runs.slice(2);
}

function* segmentsIn(runs: Runs, order: readonly number[]): Iterable<number> {
  for (const segment of order) if (hasNumber(runs, segment)) yield segment;
  for (let i = 0; i < runs.length; i += 2) {
    for (let segment = at(runs, i); segment <= at(runs, i + 1); segment++) if (!order.includes(segment)) yield segment;
  }
}

function traitsOf(universe: Universe): Traits {
  const found = traits.get(universe);
  if (found) return found;
  const { axes, index } = universe;
  const made: Traits = {
    protocol: index.get(PROTOCOL) ?? 0,
    offset: index.get(universe.family === 4 ? 'ip.frag_offset' : 'ip6.frag_offset'),
    fragment: index.get('ip.frag'),
    more: index.get('ip6.frag_more'),
    words: index.get('ip.hdr_len'),
    option: index.get('ip.opt.type'),
    layered: axes.flatMap((axis, i) => (axis.spec.protocols === undefined ? [] : [i])),
    order: axes.map(orderOf),
  };
  traits.set(universe, made);
  return made;
}

function orderOf(axis: Axis): readonly number[] {
  if (axis.spec.kind === 'atom') return [1];
  const first = RARE.has(axis.spec.key) && axis.spec.optional ? [0] : [];
  const liked = preferredValues(axis).map((value) => segmentOf(axis, value));
  return [...new Set([...first, ...liked.filter((segment) => segment !== undefined)])];
}

/** Values of an axis that witnesses take where they can. */
export function preferredValues(axis: Axis): readonly Coordinate[] {
  const { min, end } = axis.spec;
  return (PREFERRED[axis.spec.key] ?? [])
    .filter((v) => typeof v === typeof min || typeof min !== 'string')
    .filter((v) => v >= min && (end === undefined || v < end));
}

/** The segment that a value of the axis lies in. */
export function segmentOf(axis: Axis, value: Coordinate): number | undefined {
  if (value < axis.spec.min || (axis.spec.end !== undefined && value >= axis.spec.end)) return undefined;
  let low = 0;
  let high = axis.starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((axis.starts[middle] ?? axis.spec.min) <= value) low = middle;
    else high = middle;
  }
  return low + 1;
}
