import { type AddressLookup, HEAD } from './address-lookup.ts';
import { type AddressForm, type Cases, casesOf, startsOf } from './cases.ts';
import type { Area } from './cut.ts';
import type { Dimension } from './dimension.ts';
import { type LaneLayout, layLanes } from './lanes.ts';
import type { Entry } from './plan.ts';
import { LEAF, TreeWriter as SearchTreeWriter, writeTree128 } from './search-tree.ts';
import { NOTHING, TooWide, TreeWriter } from './trees.ts';

/** Trees of the packets that have the same addresses: IPv4; IPv4 that ends behind the source; and IPv6 or none. */
export type Forest = 'ip4' | 'source4' | 'others';

/** Rules as trees: constant contents of maps with one value. */
export interface Forests {
  readonly kind: 'trees';
  readonly layout: LaneLayout;
  /** How addresses of other packets than IPv4 become values, by dimension, where they are told apart. */
  readonly addresses: readonly (AddressTable | undefined)[];
  /** Which there are, in the order of their roots. */
  readonly forests: readonly Forest[];
  /** Trees of a forest, and by tree how many nodes a search passes at most. */
  readonly depths: readonly number[];
  /** By forest and tree a reference to the root and the first position in it, 32 bits each; then nodes. */
  readonly nodes: Uint8Array<ArrayBuffer>;
  readonly records: Uint8Array<ArrayBuffer>;
  /** The most records that a search looks at in one tree. */
  readonly longest: number;
}

/** The number of the span that an address is in, at the leaves of search trees. */
export interface AddressTable {
  readonly lookup: AddressLookup;
  readonly search: Uint8Array<ArrayBuffer>;
}

/** Octets of a root. */
export const ROOT_OCTETS = 8;
const NO_POSITION = 0xffff_ffff;

/** Beyond these, vectors are as quick and do not grow: cases for each entry, records for each, and records of one leaf. */
const MOST_CASES = 4;
const MOST_RECORDS = 12;
const MOST_SPARE = 4096;
const MOST_RUN = 256;

/** The entries as trees; undefined where that would take too much. */
export function forestsOf(dimensions: readonly Dimension[], entries: readonly Entry[]): Forests | undefined {
  const layout = layLanes(dimensions, entries);
  if (!layout) return undefined;
  const forests = forestsFor(dimensions);
  const starts = dimensions.map((dimension, place) => (dimension.kind === 'address' ? startsOf(entries, place) : []));
  const all: { readonly cases: Cases; readonly area: Area; readonly groups: readonly Int32Array[] }[] = [];
  for (const forest of forests) {
    const cases = casesOf(entries, layout, formsOf(forest, dimensions, starts), entries.length * MOST_CASES + MOST_SPARE);
    if (!cases) return undefined;
    const area = areaOf(forest, layout, starts);
    all.push({ cases, area, groups: groupsOf(cases, area) });
  }
  const trees = Math.max(1, ...all.map(({ groups }) => groups.length));
  const writer = new TreeWriter(layout, (forests.length * trees * ROOT_OCTETS) / 4, {
    records: entries.length * MOST_RECORDS + MOST_SPARE,
    run: MOST_RUN,
  });
  const head: number[] = [];
  const depths = new Array<number>(trees).fill(0);
  try {
    for (const { cases, area, groups } of all) {
      writer.nextCases();
      for (let tree = 0; tree < trees; tree++) {
        const members = groups[tree];
        head.push(members ? writer.tree(cases, members, area) : NOTHING, members ? (cases.positions[members[0] ?? 0] ?? 0) : NO_POSITION);
        depths[tree] = Math.max(depths[tree] ?? 0, writer.takeDepth());
      }
    }
  } catch (error) {
    if (!(error instanceof TooWide)) throw error;
    return undefined;
  }
  const addresses = dimensions.map(({ kind }, place) => (kind === 'address' ? lookupOf(starts[place] ?? []) : undefined));
  return { kind: 'trees', layout, addresses, forests, depths, longest: writer.longest, ...writer.octets(head) };
}

function forestsFor(dimensions: readonly Dimension[]): readonly Forest[] {
  const addresses = dimensions.filter(({ kind }) => kind === 'address').length;
  return addresses === 0 ? ['others'] : addresses === 1 ? ['ip4', 'others'] : ['ip4', 'source4', 'others'];
}

function formsOf(
  forest: Forest,
  dimensions: readonly Dimension[],
  starts: readonly (readonly bigint[])[],
): readonly (AddressForm | undefined)[] {
  return dimensions.map(({ kind, name }, place): AddressForm | undefined => {
    if (kind !== 'address') return undefined;
    if (forest === 'others') return { kind: 'span', starts: starts[place] ?? [] };
    return forest === 'source4' && name !== 'ip.src' ? { kind: 'none' } : { kind: 'ip4' };
  });
}

function areaOf(forest: Forest, { lanes }: LaneLayout, starts: readonly (readonly bigint[])[]): Area {
  const greatest = lanes.map(({ dimension, names, bits }, place) => {
    if (dimension.kind === 'address') return forest === 'others' ? (starts[place]?.length ?? 0) : 0xffff_ffff;
    return names ? 2 ** bits - 1 : dimension.max + 1;
  });
  return { least: new Float64Array(lanes.length), greatest: Float64Array.from(greatest) };
}

/** Cases that take much of a lane would be in many leaves of a tree that tells packets apart by it: so they have trees of their own. */
function groupsOf(cases: Cases, area: Area): readonly Int32Array[] {
  const narrow = cases.least.map((least, lane) => {
    const greatest = cases.greatest[lane] ?? least;
    const values = (area.greatest[lane] ?? 0) + 1;
    const most = values / (values > 4096 ? 256 : 8);
    let count = 0;
    for (let one = 0; one < cases.count; one++) if ((greatest[one] ?? 0) - (least[one] ?? 0) + 1 <= most) count++;
    return { lane, most, count };
  });
  const chosen = narrow
    .filter(({ count }) => count > 0)
    .sort((a, b) => Number(b.most > 65_536) - Number(a.most > 65_536) || b.count - a.count || a.lane - b.lane)
    .slice(0, 2);
  const groups: number[][] = [[], [], [], []];
  for (let one = 0; one < cases.count; one++) {
    let group = 0;
    for (const { lane, most } of chosen)
      group = group * 2 + ((cases.greatest[lane]?.[one] ?? 0) - (cases.least[lane]?.[one] ?? 0) + 1 <= most ? 0 : 1);
    groups[group]?.push(one);
  }
  return groups
    .filter((group) => group.length > 0)
    .sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0))
    .map((group) => Int32Array.from(group));
}

function lookupOf(starts: readonly bigint[]): AddressTable {
  const writer = new SearchTreeWriter();
  const leaf = (index: number): number => (LEAF | index) >>> 0;
  const high = writeTree128(
    writer,
    starts,
    starts.map((_, index) => leaf(index)),
  );
  const missing = leaf(starts.length);
  const head: number[] = [];
  head[HEAD.missing / 4] = missing;
  head[HEAD.low / 4] = missing;
  head[HEAD.high / 4] = high.root;
  return { lookup: { kind: 'address', low: { root: missing, depth: 0 }, high }, search: writer.octets(head) };
}
