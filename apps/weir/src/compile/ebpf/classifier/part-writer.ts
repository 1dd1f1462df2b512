import type { Cases } from './cases.ts';
import { type Area, type Cut, chooseCut } from './cut.ts';
import { distribute, membersOf, type Shares } from './distribute.ts';
import type { LaneLayout } from './lanes.ts';
import { RecordTable, recordWords } from './record-table.ts';
import { CHILDREN, MOST_CHILDREN, NOTHING, nodeReference, REFERENCE, TooWide } from './references.ts';

/** Cases that a leaf holds without need; and nodes from a root to a leaf at most. */
const FEW = 3;
const MOST_DEPTH = 20;
/** Marks of children in a part, which no reference is: what the node has for children without cases of their own; and what the child before has. */
export const MARK = { alike: 0xffff_ffff, before: 0xffff_fffe } as const;

/** Nodes and records that stay the same wherever they are put: references are to nodes from the first of them on, and to records from the first on behind NOTHING. */
export interface Part {
  /** What the part is for: of one tree its root, of some children of a node theirs. */
  readonly references: Uint32Array;
  readonly nodes: Uint32Array;
  /** Without positions. */
  readonly records: Uint32Array;
  /** By record: its case, as a place among the members of the part. */
  readonly cases: Int32Array;
  /** Nodes that a search has passed at most when it comes to a leaf; and records of the longest run. */
  readonly depth: number;
  readonly longest: number;
}

/** Nodes and records, still to be had. */
export interface Room {
  nodes: number;
  records: number;
  /** Records of one run. */
  readonly run: number;
}

/** What some children of a node are made of. */
export interface Children {
  readonly shares: Shares;
  readonly cut: Cut;
  readonly first: number;
  readonly count: number;
  /** The nodes from the root to the children. */
  readonly level: number;
}

/** Whether cases are told apart any more. */
export function cutFor(cases: Cases, members: Int32Array, area: Area, level: number): Cut | undefined {
  return members.length <= FEW || level >= MOST_DEPTH ? undefined : chooseCut(cases, members, area);
}

/** Writes parts of trees, one after the other. */
export class PartWriter {
  readonly #layout: LaneLayout;
  readonly #records: RecordTable;
  readonly #recordOctets: number;
  #room: Room;
  #nodes: Uint32Array = new Uint32Array(4096);
  #used = 0;
  #depth = 0;
  #longest = 0;
  /** By case: its place among the members of the part. */
  #places = new Int32Array(1024);

  constructor(layout: LaneLayout, room: Room) {
    this.#layout = layout;
    this.#room = room;
    this.#records = new RecordTable(layout);
    this.#recordOctets = recordWords(layout) * 4;
  }

  /** For parts that follow. */
  allow(room: Room): void {
    this.#room = room;
  }

  /** A tree of its own. @throws TooWide */
  tree(cases: Cases, members: Int32Array, area: Area, level: number): Part {
    this.#begin(level);
    const root = this.#node(cases, members, area, level);
    return this.#take(Uint32Array.of(root), members, cases.count);
  }

  /** Some children of a node with these members; `own` are those that the children have. @throws TooWide */
  children(cases: Cases, members: Int32Array, area: Area, children: Children, own: Int32Array): Part {
    this.#begin(children.level);
    const references = new Uint32Array(children.count);
    this.#children(cases, members, area, { ...children, whenBare: MARK.alike, before: MARK.before, into: references, at: 0 });
    return this.#take(references, own, cases.count);
  }

  #begin(level: number): void {
    this.#used = 0;
    this.#depth = level;
    this.#longest = 0;
  }

  #take(references: Uint32Array, members: Int32Array, caseCount: number): Part {
    const { records, cases } = this.#records.take();
    if (this.#places.length < caseCount) this.#places = new Int32Array(caseCount * 2);
    for (let i = 0; i < members.length; i++) this.#places[members[i] as number] = i;
    for (let i = 0; i < cases.length; i++) cases[i] = this.#places[cases[i] as number] as number;
    const nodes = this.#nodes.slice(0, this.#used);
    return { references, nodes, records, cases, depth: this.#depth, longest: this.#longest };
  }

  #leaf(cases: Cases, members: Int32Array): number {
    const count = members.length;
    if (count === 0) return NOTHING;
    if (count > this.#room.run) throw new TooWide(`${count} cases in one place`);
    if (count > this.#longest) this.#longest = count;
    const record = this.#records.run(cases, members);
    if (this.#records.count > this.#room.records) throw new TooWide('too many records');
    return (REFERENCE.leaf | ((record + 1) * this.#recordOctets)) >>> 0;
  }

  #node(cases: Cases, members: Int32Array, area: Area, level: number): number {
    const cut = cutFor(cases, members, area, level);
    if (!cut) return this.#leaf(cases, members);
    if (level >= this.#depth) this.#depth = level + 1;
    const count = 2 ** cut.bits;
    const at = this.#reserve(count);
    const shares = distribute(cases, members, area, cut);
    this.#children(cases, members, area, { shares, cut, first: 0, count, level: level + 1, whenBare: undefined, before: NOTHING, at });
    const lane = this.#layout.lanes[cut.lane];
    if (!lane) throw new RangeError(`no lane ${cut.lane}`);
    return nodeReference(lane, cut, at);
  }

  /** `whenBare`: of children with none but cases that take all of the area; they are alike. `into` is the nodes unless given. */
  #children(
    cases: Cases,
    members: Int32Array,
    area: Area,
    all: Children & { readonly whenBare: number | undefined; readonly before: number; readonly into?: Uint32Array; readonly at: number },
  ): void {
    const { shares, cut, first, count, level, into, at } = all;
    const { starts, same, whole } = shares;
    const begin = area.least[cut.lane] as number;
    const end = area.greatest[cut.lane] as number;
    const size = 2 ** cut.shift;
    let bare = whole.length === 0 ? NOTHING : all.whenBare;
    let reference = all.before;
    for (let child = first; child < first + count; child++) {
      const from = starts[child] as number;
      const to = starts[child + 1] as number;
      if (from === to && bare !== undefined) reference = bare;
      else if (same[child] === 0) {
        const least = cut.base + child * size;
        area.least[cut.lane] = Math.max(least, begin);
        area.greatest[cut.lane] = Math.min(least + size - 1, end);
        reference = this.#node(cases, membersOf(members, shares, from, to), area, level);
        if (from === to) bare = reference;
      }
      (into ?? this.#nodes)[at + child - first] = reference;
    }
    area.least[cut.lane] = begin;
    area.greatest[cut.lane] = end;
  }

  #reserve(words: number): number {
    const at = this.#used;
    const end = at + Math.ceil(words / CHILDREN) * CHILDREN;
    if (end > Math.min(this.#room.nodes, MOST_CHILDREN)) throw new TooWide('too many nodes');
    if (end > this.#nodes.length) {
      const larger = new Uint32Array(Math.max(end, this.#nodes.length * 2));
      larger.set(this.#nodes);
      this.#nodes = larger;
    }
    // Parts are the same whatever was there before.
    for (let word = at + words; word < end; word++) this.#nodes[word] = NOTHING;
    this.#used = end;
    return at;
  }
}
