import { type AddressLookup, HEAD } from './address-lookup.ts';
import { AddressStarts } from './address-starts.ts';
import { type AddressForm, type CaseIds, type Cases, casesOf } from './cases.ts';
import type { Area } from './cut.ts';
import type { Dimension, Region } from './dimension.ts';
import { betweenSpans, keptSpans, type Span } from './kept-spans.ts';
import { isRenamed, type LaneLayout, layLanes } from './lanes.ts';
import { type Part, PartWriter, type Room } from './part-writer.ts';
import { TreePlacer } from './place-trees.ts';
import type { Entry } from './plan.ts';
import { MOST_CHILDREN, NOTHING, TooWide } from './references.ts';
import { RegionUses } from './region-uses.ts';
import { LEAF, TreeWriter as SearchTreeWriter, writeTree128 } from './search-tree.ts';
import { partsOf, type Tree, TreeGrower } from './trees.ts';

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
/** Forests are three, of four trees each. */
const MOST_ROOTS = 12;
/** Then all begins anew. */
const MOST_IDS = 2 ** 31;

/** What was made of a forest last. */
interface KnownForest {
  /** What its cases are made with besides the entries. */
  readonly layout: LaneLayout;
  readonly starts: readonly (readonly bigint[])[];
  readonly cases: Cases;
  readonly trees: readonly KnownTree[];
}

interface KnownTree extends Group {
  readonly tree: Tree;
}

/** Entries as trees, and what is kept of them, so that of a list with a change in it only what has changed is made anew. What comes of it is the same whatever was there before. */
export class ForestKeeper {
  readonly #ids: CaseIds = { next: 0 };
  #run = 0;
  /** Steps have begun that have not ended: what is kept is not of one list. */
  #unfinished = false;
  #dimensions: readonly Dimension[] = [];
  #regions: readonly (readonly (Region | undefined)[])[] = [];
  #uses: readonly RegionUses[] = [];
  #starts: readonly AddressStarts[] = [];
  #layout: LaneLayout | undefined;
  #layoutOf: readonly (readonly Region[] | undefined)[] = [];
  #addresses: readonly (AddressTable | undefined)[] = [];
  #addressesOf: readonly (readonly bigint[])[] = [];
  #writer: PartWriter | undefined;
  readonly #forests = new Map<Forest, KnownForest>();

  /**
   * The entries as trees, in steps of a few milliseconds; undefined where that would take too much: then nothing is kept. Where others begin before these steps have ended, those are worth nothing, and
   * `superseded` comes of them.
   */
  *steps(
    dimensions: readonly Dimension[],
    entries: readonly Entry[],
    regions: readonly Entry['regions'][],
  ): Generator<undefined, Forests | undefined | 'superseded'> {
    const run = ++this.#run;
    if (this.#unfinished || this.#ids.next > MOST_IDS || dimensions !== this.#dimensions) this.#forget(dimensions);
    this.#unfinished = true;
    const steps = this.#forestsOf(dimensions, entries, regions);
    try {
      for (;;) {
        const { done, value } = steps.next();
        if (!done) {
          yield;
          if (run !== this.#run) return 'superseded';
          continue;
        }
        if (!value) this.#forget([]);
        this.#unfinished = false;
        return value;
      }
    } catch (error) {
      this.#forget([]);
      this.#unfinished = false;
      if (!(error instanceof TooWide)) throw error;
      return undefined;
    }
  }

  /** The parts of the trees. */
  parts(): ReadonlySet<Part> {
    return new Set([...this.#forests.values()].flatMap(({ trees }) => trees.flatMap(({ tree }) => partsOf(tree))));
  }

  #forget(dimensions: readonly Dimension[]): void {
    this.#dimensions = dimensions;
    this.#regions = [];
    this.#uses = dimensions.map(() => new RegionUses());
    this.#starts = dimensions.map(() => new AddressStarts());
    this.#layout = undefined;
    this.#writer = undefined;
    this.#forests.clear();
    this.#ids.next = 0;
  }

  *#forestsOf(
    dimensions: readonly Dimension[],
    entries: readonly Entry[],
    regions: readonly Entry['regions'][],
  ): Generator<undefined, Forests | undefined> {
    const spans = this.#take(regions);
    const layout = this.#layLanes(dimensions);
    if (!layout) return undefined;
    const starts = this.#starts.map((one) => one.starts());
    const room: Room = {
      nodes: MOST_CHILDREN - MOST_ROOTS * (ROOT_OCTETS / 4),
      records: entries.length * MOST_RECORDS + MOST_SPARE,
      run: MOST_RUN,
    };
    this.#writer ??= new PartWriter(layout, room);
    const all: (KnownForest & { readonly forest: Forest })[] = [];
    for (const forest of forestsFor(dimensions)) {
      yield;
      const known = this.#forests.get(forest);
      const stays = known && known.layout === layout && (forest !== 'others' || known.starts.every((one, place) => one === starts[place]));
      const before = stays ? known : undefined;
      const cases = casesOf(entries, entries.length * MOST_CASES + MOST_SPARE, {
        layout,
        forms: formsOf(forest, dimensions, starts),
        ids: this.#ids,
        before: before && { cases: before.cases, spans },
      });
      if (!cases) return undefined;
      const area = areaOf(forest, layout, starts);
      const grower = new TreeGrower(this.#writer, cases, room);
      const groups = before && sameIds(before.cases, cases) ? before.trees : groupsOf(cases, area);
      const trees: KnownTree[] = [];
      for (const { code, members } of groups) {
        const last = before?.trees.find((one) => one.code === code)?.tree;
        yield;
        trees.push({ code, members, tree: yield* grower.grow(members, area, last) });
      }
      const made = { layout, starts, cases, trees };
      this.#forests.set(forest, made);
      all.push({ ...made, forest });
    }
    return { kind: 'trees', layout, addresses: this.#addressTables(dimensions, starts), ...placed(layout, all) };
  }

  /** Takes entries in the place of those before; which have stayed. */
  #take(regions: readonly Entry['regions'][]): readonly Span[] {
    const before = this.#regions;
    const spans = keptSpans(before, regions);
    const renamed = this.#dimensions.map(isRenamed);
    const count = (list: readonly (readonly (Region | undefined)[])[], by: 1 | -1) => (first: number, behind: number) => {
      for (let index = first; index < behind; index++) {
        for (const [place, region] of (list[index] ?? []).entries()) {
          if (renamed[place]) this.#uses[place]?.count(region, by);
          this.#starts[place]?.count(region, by);
        }
      }
    };
    betweenSpans(spans, 'from', before.length, count(before, -1));
    betweenSpans(spans, 'to', regions.length, count(regions, 1));
    this.#regions = regions;
    return spans;
  }

  #layLanes(dimensions: readonly Dimension[]): LaneLayout | undefined {
    const regions = this.#uses.map((uses) => uses.regions());
    if (this.#layout && regions.every((one, place) => one === this.#layoutOf[place])) return this.#layout;
    this.#layoutOf = regions;
    this.#layout = layLanes(dimensions, regions);
    this.#writer = undefined;
    return this.#layout;
  }

  #addressTables(dimensions: readonly Dimension[], starts: readonly (readonly bigint[])[]): readonly (AddressTable | undefined)[] {
    if (this.#addresses.length !== starts.length || starts.some((one, place) => one !== this.#addressesOf[place])) {
      this.#addresses = dimensions.map(({ kind }, place) => (kind === 'address' ? lookupOf(starts[place] ?? []) : undefined));
      this.#addressesOf = starts;
    }
    return this.#addresses;
  }
}

/** Trees one after the other. */
function placed(
  layout: LaneLayout,
  all: readonly (KnownForest & { readonly forest: Forest })[],
): Omit<Forests, 'kind' | 'layout' | 'addresses'> {
  const count = Math.max(1, ...all.map(({ trees }) => trees.length));
  const sizes = all.flatMap(({ trees }) => trees.map(({ tree }) => tree.size));
  const placer = new TreePlacer(layout, (all.length * count * ROOT_OCTETS) / 4, sizes);
  const head: number[] = [];
  const depths = new Array<number>(count).fill(0);
  for (const { cases, trees } of all) {
    for (let number = 0; number < count; number++) {
      const one = trees[number];
      if (!one) {
        head.push(NOTHING, NO_POSITION);
        continue;
      }
      head.push(placer.place(one.tree, one.members, cases.positions), cases.positions[one.members[0] ?? 0] ?? 0);
      depths[number] = Math.max(depths[number] ?? 0, one.tree.size.depth);
    }
  }
  const longest = Math.max(0, ...sizes.map((size) => size.longest));
  return { forests: all.map(({ forest }) => forest), depths, longest, ...placer.octets(head) };
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

/** Cases that have a tree of their own. */
interface Group {
  /** Says which of all groups it is. */
  readonly code: string;
  readonly members: Int32Array;
}

/** Cases that take much of a lane would be in many leaves of a tree that tells packets apart by it: so they have trees of their own. */
function groupsOf(cases: Cases, area: Area): readonly Group[] {
  const narrow = cases.least.map((least, lane) => {
    const greatest = cases.greatest[lane] ?? least;
    const values = (area.greatest[lane] ?? 0) + 1;
    const most = values / (values > 4096 ? 256 : 8);
    let count = 0;
    for (let one = 0; one < cases.count; one++) if ((greatest[one] as number) - (least[one] as number) + 1 <= most) count++;
    return { lane, most, count, least, greatest };
  });
  const chosen = narrow
    .filter(({ count }) => count > 0)
    .sort((a, b) => Number(b.most > 65_536) - Number(a.most > 65_536) || b.count - a.count || a.lane - b.lane)
    .slice(0, 2)
    .sort((a, b) => a.lane - b.lane);
  const codes = new Uint8Array(cases.count);
  for (const { least, greatest, most } of chosen) {
    for (let one = 0; one < codes.length; one++)
      codes[one] = (codes[one] as number) * 2 + ((greatest[one] as number) - (least[one] as number) + 1 <= most ? 0 : 1);
  }
  const counts = [0, 0, 0, 0];
  for (let one = 0; one < codes.length; one++) counts[codes[one] as number] = (counts[codes[one] as number] as number) + 1;
  const groups = counts.map((count, code) => ({
    code: `${chosen.map(({ lane }) => lane).join()} ${code}`,
    members: new Int32Array(count),
  }));
  const filled = [0, 0, 0, 0];
  for (let one = 0; one < codes.length; one++) {
    const code = codes[one] as number;
    const at = filled[code] as number;
    (groups[code] as Group).members[at] = one;
    filled[code] = at + 1;
  }
  return groups.filter(({ members }) => members.length > 0).sort((a, b) => (a.members[0] ?? 0) - (b.members[0] ?? 0));
}

function sameIds(a: Cases, b: Cases): boolean {
  if (a.count !== b.count) return false;
  for (let one = 0; one < a.count; one++) if (a.ids[one] !== b.ids[one]) return false;
  return true;
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
