import type { Cases } from './cases.ts';
import type { Area, Cut } from './cut.ts';
import { distribute, membersOf, type Shares } from './distribute.ts';
import { cutFor, type Part, type PartWriter, type Room } from './part-writer.ts';
import { CHILDREN, TooWide } from './references.ts';

/**
 * A tree over some cases: one part, or a node whose children are in several. It is what it is by the ids of its cases in their order, and by the area that it is for; so it is the same object as
 * before where those have stayed, and holds cases as places among its members, which may have other numbers each time.
 */
export type Tree = Single | Branch;

interface Single {
  readonly kind: 'single';
  readonly ids: Uint32Array;
  readonly part: Part;
  readonly size: Size;
}

export interface Branch {
  readonly kind: 'branch';
  readonly ids: Uint32Array;
  readonly cut: Cut;
  readonly shares: Shares;
  /** Of children without cases of their own, where there are any that all of them have. */
  readonly bare: Tree | undefined;
  readonly twigs: readonly Twig[];
  readonly size: Size;
}

/** Some children of a branch, one after the other: a part, or one tree of one child, or, of children that are the same as the one before them, nothing. */
export interface Twig {
  readonly first: number;
  readonly count: number;
  readonly of: { readonly kind: 'part'; readonly part: Part } | { readonly kind: 'tree'; readonly tree: Tree } | undefined;
}

/** What a tree takes in all. */
export interface Size {
  readonly nodes: number;
  readonly records: number;
  readonly depth: number;
  readonly longest: number;
}

/** So many cases are written at once: a change of one of them writes them all anew. */
const PART_CASES = 160;

/** Makes trees, of which what has stayed is taken from those before. */
export class TreeGrower {
  readonly #writer: PartWriter;
  readonly #room: Room;
  readonly #cases: Cases;

  /** What trees take goes off the room. */
  constructor(writer: PartWriter, cases: Cases, room: Room) {
    this.#writer = writer;
    this.#cases = cases;
    this.#room = room;
  }

  /** A tree over some cases, ascending; a step for each part that is made anew. `before`: of the same area. @throws TooWide */
  grow(members: Int32Array, area: Area, before: Tree | undefined): Generator<undefined, Tree> {
    return this.#grow(members, area, 0, before);
  }

  *#grow(members: Int32Array, area: Area, level: number, before: Tree | undefined): Generator<undefined, Tree> {
    const ids = this.#idsOf(members);
    if (before && equal(before.ids, ids)) {
      this.#spend(before.size);
      return before;
    }
    const cut = members.length > PART_CASES ? cutFor(this.#cases, members, area, level) : undefined;
    if (!cut) {
      yield;
      this.#writer.allow(this.#room);
      const part = this.#writer.tree(this.#cases, members, area, level);
      return { kind: 'single', ids, part, size: this.#spend(sizeOf(part)) };
    }
    const shares = distribute(this.#cases, members, area, cut);
    const last = before?.kind === 'branch' && sameCut(before.cut, cut) ? before : undefined;
    return yield* this.#branch(members, area, level + 1, { ids, cut, shares, last });
  }

  *#branch(
    members: Int32Array,
    area: Area,
    level: number,
    { ids, cut, shares, last }: Pick<Branch, 'ids' | 'cut' | 'shares'> & { readonly last: Branch | undefined },
  ): Generator<undefined, Branch> {
    const { starts, whole } = shares;
    const children = 2 ** cut.bits;
    const block = this.#spend({ nodes: Math.ceil(children / CHILDREN) * CHILDREN, records: 0, depth: level, longest: 0 });
    const bareAt = whole.length === 0 ? -1 : starts.findIndex((start, child) => child < children && start === starts[child + 1]);
    const bare =
      bareAt < 0
        ? undefined
        : yield* within(area, cut, bareAt, () => this.#grow(membersOf(members, shares, 0, 0), area, level, last?.bare));
    const stays = last && sameIds(last, last.shares.whole, ids, whole);
    const before = new Map(stays ? last.twigs.map((twig) => [twig.first * 2 ** 16 + twig.count, twig]) : []);
    const twigs: Twig[] = [];
    for (const [first, count] of twigsOf(shares, children)) {
      const known = before.get(first * 2 ** 16 + count);
      if (known && last && sameChildren(last, { ids, shares }, first, count)) {
        for (const size of sizesOf(known)) this.#spend(size);
        twigs.push(known);
        continue;
      }
      const from = starts[first] as number;
      const to = starts[first + count] as number;
      if (isLinked(shares, first, count)) twigs.push({ first, count, of: undefined });
      else if (count === 1 && to - from + whole.length > PART_CASES) {
        const own = membersOf(members, shares, from, to);
        const was = known?.of?.kind === 'tree' ? known.of.tree : undefined;
        const tree = yield* within(area, cut, first, () => this.#grow(own, area, level, was));
        twigs.push({ first, count, of: { kind: 'tree', tree } });
      } else {
        yield;
        const own = ownOf(members, shares, from, to);
        this.#writer.allow(this.#room);
        const part = this.#writer.children(this.#cases, members, area, { shares, cut, first, count, level }, own);
        this.#spend(sizeOf(part));
        twigs.push({ first, count, of: { kind: 'part', part } });
      }
    }
    const size = sumOf([block, ...twigs.flatMap(sizesOf), ...(bare ? [bare.size] : [])]);
    return { kind: 'branch', ids, cut, shares, bare, twigs, size };
  }

  #spend(size: Size): Size {
    this.#room.nodes -= size.nodes;
    this.#room.records -= size.records;
    if (this.#room.nodes < 0 || this.#room.records < 0) throw new TooWide('too many nodes or records');
    return size;
  }

  #idsOf(members: Int32Array): Uint32Array {
    const { ids } = this.#cases;
    const out = new Uint32Array(members.length);
    for (let i = 0; i < out.length; i++) out[i] = ids[members[i] as number] as number;
    return out;
  }
}

/** The cases of some children of a node, those that all of them have first: what a part of them names its cases by. */
export function ownOf(members: Int32Array, { whole, sorted }: Shares, from: number, to: number): Int32Array {
  const out = new Int32Array(whole.length + to - from);
  for (let i = 0; i < whole.length; i++) out[i] = members[whole[i] as number] as number;
  for (let i = from; i < to; i++) out[whole.length + i - from] = members[sorted[i] as number] as number;
  return out;
}

/** The parts of a tree. */
export function partsOf(tree: Tree): readonly Part[] {
  if (tree.kind === 'single') return [tree.part];
  const twigs = tree.twigs.flatMap(({ of }) => (of === undefined ? [] : of.kind === 'part' ? [of.part] : partsOf(of.tree)));
  return tree.bare ? [...partsOf(tree.bare), ...twigs] : twigs;
}

/** Children by parts: halves of halves, as long as they have more than a few cases, so that where one part ends does not depend on what is in others. */
function twigsOf(shares: Shares, children: number): readonly (readonly [first: number, count: number])[] {
  const { starts, same, whole } = shares;
  // What is written for the children before each.
  const weights = new Float64Array(children + 1);
  for (let child = 0; child < children; child++) {
    const own = (starts[child + 1] as number) - (starts[child] as number);
    weights[child + 1] = (weights[child] as number) + (own === 0 || same[child] === 1 ? 0 : own + whole.length);
  }
  const out: (readonly [number, number])[] = [];
  const halve = (first: number, count: number): void => {
    if (count > 1 && (weights[first + count] as number) - (weights[first] as number) > PART_CASES) {
      halve(first, count / 2);
      halve(first + count / 2, count / 2);
    } else out.push([first, count]);
  };
  halve(0, children);
  return out;
}

/** Whether all of these children are the same as the one before them. */
function isLinked({ same }: Shares, first: number, count: number): boolean {
  for (let child = first; child < first + count; child++) if (same[child] === 0) return false;
  return true;
}

/** Whether some children have the same cases of their own as in the branch before. */
function sameChildren(last: Branch, { ids, shares }: Pick<Branch, 'ids' | 'shares'>, first: number, count: number): boolean {
  const { starts, sorted, same } = shares;
  const before = last.shares;
  if (before.same[first] !== same[first]) return false;
  const from = starts[first] as number;
  const moved = (before.starts[first] as number) - from;
  for (let child = first + 1; child <= first + count; child++) if (before.starts[child] !== (starts[child] as number) + moved) return false;
  const to = starts[first + count] as number;
  for (let i = from; i < to; i++) if (last.ids[before.sorted[i + moved] as number] !== ids[sorted[i] as number]) return false;
  return true;
}

function sameIds(last: Branch, before: Int32Array, ids: Uint32Array, now: Int32Array): boolean {
  if (before.length !== now.length) return false;
  for (let i = 0; i < now.length; i++) if (last.ids[before[i] as number] !== ids[now[i] as number]) return false;
  return true;
}

/** Does something in the area of a child. */
function* within<T>(area: Area, { lane, base, shift }: Cut, child: number, act: () => Generator<undefined, T>): Generator<undefined, T> {
  const begin = area.least[lane] as number;
  const end = area.greatest[lane] as number;
  const least = base + child * 2 ** shift;
  area.least[lane] = Math.max(least, begin);
  area.greatest[lane] = Math.min(least + 2 ** shift - 1, end);
  try {
    return yield* act();
  } finally {
    area.least[lane] = begin;
    area.greatest[lane] = end;
  }
}

function sizeOf({ nodes, cases, depth, longest }: Part): Size {
  return { nodes: nodes.length, records: cases.length, depth, longest };
}

function sizesOf({ of }: Twig): readonly Size[] {
  return of === undefined ? [] : of.kind === 'part' ? [sizeOf(of.part)] : [of.tree.size];
}

function sumOf(sizes: readonly Size[]): Size {
  const sum = { nodes: 0, records: 0, depth: 0, longest: 0 };
  for (const size of sizes) {
    sum.nodes += size.nodes;
    sum.records += size.records;
    sum.depth = Math.max(sum.depth, size.depth);
    sum.longest = Math.max(sum.longest, size.longest);
  }
  return sum;
}

function sameCut(a: Cut, b: Cut): boolean {
  return a.lane === b.lane && a.shift === b.shift && a.bits === b.bits && a.base === b.base;
}

function equal(a: Uint32Array, b: Uint32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
