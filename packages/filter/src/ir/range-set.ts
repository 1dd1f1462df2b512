import type { Int } from '../scheme/index.ts';
import type { Range, RangeSet } from './expr.ts';
import { canonicalInt, compareInt, maxInt, minInt, nextInt, previousInt } from './int.ts';

/** The set without members. */
export const EMPTY_SET: RangeSet = [];

/** Ranges in any order, which may touch and overlap, as a set. RangeError when one ends before it begins. O(n log n). */
export function rangeSet(ranges: Iterable<Range>): RangeSet {
  const sorted: Range[] = [];
  for (const { first, last } of ranges) {
    if (first > last) throw new RangeError(`not a range: ${first}..${last}`);
    sorted.push({ first: canonicalInt(first), last: canonicalInt(last) });
  }
  sorted.sort((a, b) => compareInt(a.first, b.first));
  const out: Range[] = [];
  for (const range of sorted) {
    const before = out.at(-1);
    if (before && range.first <= nextInt(before.last)) out[out.length - 1] = { first: before.first, last: maxInt(before.last, range.last) };
    else out.push(range);
  }
  return out;
}

/** The set of single values. */
export function intSet(...values: readonly Int[]): RangeSet {
  return rangeSet(values.map((value) => ({ first: value, last: value })));
}

/** One range; empty when it ends before it begins. */
export function interval(first: Int, last: Int): RangeSet {
  return first > last ? EMPTY_SET : [{ first: canonicalInt(first), last: canonicalInt(last) }];
}

export function unionSets(sets: readonly RangeSet[]): RangeSet {
  const only = sets[0];
  if (only && sets.length === 1) return only;
  return rangeSet(sets.flat());
}

/** What lies in all of `sets`; of no sets at all, an empty one. O(n log n) in the ranges of all of them together. */
export function intersectSets(sets: readonly RangeSet[]): RangeSet {
  const only = sets[0];
  if (only && sets.length === 1) return only;
  return sweep(sets, (depth) => depth === sets.length && depth > 0);
}

/** What lies in an odd number of `sets`. */
export function oddSets(sets: readonly RangeSet[]): RangeSet {
  return sweep(sets, (depth) => depth % 2 === 1);
}

export function subtractSet(from: RangeSet, what: RangeSet): RangeSet {
  const out: Range[] = [];
  let next = 0;
  for (const { first, last } of from) {
    let at: Int = first;
    while (next < what.length && (what[next]?.last ?? first) < first) next++;
    let i = next;
    for (; i < what.length; i++) {
      const hole = what[i];
      if (!hole || hole.first > last) break;
      if (hole.first > at) out.push({ first: at, last: previousInt(hole.first) });
      at = nextInt(hole.last);
      if (at > last) break;
    }
    next = i;
    if (at <= last) out.push({ first: at, last });
  }
  return out;
}

/** What of the values from `min` to `max` is not in the set. */
export function complementSet(set: RangeSet, min: Int, max: Int): RangeSet {
  return subtractSet(interval(min, max), set);
}

/** What of the set lies between `min` and `max`, both included. */
export function clampSet(set: RangeSet, min: Int, max: Int): RangeSet {
  const [least, most] = [canonicalInt(min), canonicalInt(max)];
  const first = set[0];
  const last = set.at(-1);
  if (!first || !last || (first.first >= min && last.last <= max)) return set;
  const out: Range[] = [];
  for (const range of set) {
    if (range.last < min || range.first > max) continue;
    out.push({ first: maxInt(range.first, least), last: minInt(range.last, most) });
  }
  return out;
}

export function containsInt(set: RangeSet, value: Int): boolean {
  let low = 0;
  let high = set.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = set[middle];
    if (!range) return false;
    if (value < range.first) high = middle - 1;
    else if (value > range.last) low = middle + 1;
    else return true;
  }
  return false;
}

/** Whether every member of `inner` is one of `outer`. */
export function includesSet(outer: RangeSet, inner: RangeSet): boolean {
  return subtractSet(inner, outer).length === 0;
}

export function overlapsSet(a: RangeSet, b: RangeSet): boolean {
  return intersectSets([a, b]).length > 0;
}

export function equalSets(a: RangeSet, b: RangeSet): boolean {
  return a.length === b.length && a.every((range, i) => range.first === b[i]?.first && range.last === b[i]?.last);
}

/** Whether the set is exactly the values from `min` to `max`. */
export function isInterval(set: RangeSet, min: Int, max: Int): boolean {
  return set.length === 1 && set[0]?.first === min && set[0]?.last === max;
}

/** The member of a set that has only one. */
export function onlyMember(set: RangeSet): Int | undefined {
  const range = set[0];
  return set.length === 1 && range?.first === range?.last ? range?.first : undefined;
}

/** How many members; a bigint when it is not a safe integer. */
export function countMembers(set: RangeSet): Int {
  let n = 0n;
  for (const { first, last } of set) n += BigInt(last) - BigInt(first) + 1n;
  return canonicalInt(n);
}

/** The values at which `wanted(number of sets that have the value)` holds. */
function sweep(sets: readonly RangeSet[], wanted: (depth: number) => boolean): RangeSet {
  const edges: { readonly at: Int; readonly step: 1 | -1 }[] = [];
  for (const set of sets) {
    for (const { first, last } of set) edges.push({ at: first, step: 1 }, { at: nextInt(last), step: -1 });
  }
  edges.sort((a, b) => compareInt(a.at, b.at));
  const out: Range[] = [];
  let depth = 0;
  let since: Int | undefined;
  for (let i = 0; i < edges.length; ) {
    const at = edges[i]?.at;
    if (at === undefined) break;
    for (; edges[i]?.at === at; i++) depth += edges[i]?.step ?? 0;
    if (wanted(depth)) since ??= at;
    else if (since !== undefined) {
      out.push({ first: since, last: previousInt(at) });
      since = undefined;
    }
  }
  return out;
}
