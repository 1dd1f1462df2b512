import { FIELDS } from '../fields.ts';
import type { FieldValue } from '../image.ts';
import { canHave, type ListItem, SPLIT_FIELDS, type SplitField } from './field-index.ts';
import { type Openings, openingsOf } from './openings.ts';

/** Values that lead to one list. */
export interface Part {
  readonly from: FieldValue;
  readonly to: FieldValue;
  /** In their order. */
  readonly items: readonly ListItem[];
}

/** A list taken apart by one field. */
export interface Split {
  readonly field: SplitField;
  readonly parts: readonly Part[];
  /** Those that packets can meet whatever the field says, or without it: for packets in none of the parts. */
  readonly others: readonly ListItem[];
  /** Items in all parts and the others. */
  readonly total: number;
}

/** Ranges that meet each other, and their neighbours: from the first to the last of the openings that are looked at. */
interface Group {
  /** In the order of the openings that are looked at. */
  readonly start: number;
  readonly end: number;
  /** The opening that ends last. */
  readonly last: number;
  /** Different items. */
  readonly size: number;
}

/** A range that meets more others than this may be left beside the parts, where it is in each of them. */
const WIDE = [16, 64, 256, Number.POSITIVE_INFINITY] as const;

interface Candidate {
  readonly field: SplitField;
  readonly openings: Openings;
  /** The openings that are looked at. */
  readonly narrow: Int32Array;
  readonly groups: readonly Group[];
  readonly beside: readonly number[];
  readonly others: readonly number[];
  readonly mean: number;
  readonly total: number;
}

/** The split after which a packet meets the shortest list, of those whose lists have `budget` items together at most; undefined where none is worth it. */
export function bestSplit(items: readonly ListItem[], leaf: number, budget: number): Split | undefined {
  let best: Candidate | undefined;
  for (const field of SPLIT_FIELDS) {
    const held = items.reduce((sum, item) => (item.spans[field] === undefined ? sum : sum + 1), 0);
    if (held < 2 || held * 8 < items.length) continue;
    const openings = openingsOf(items, field);
    const meets = meetings(openings, items.length);
    const most = meets.reduce((a, b) => Math.max(a, b), 0);
    for (const [i, wide] of WIDE.entries()) {
      // The same as with the bound before it.
      if (i > 0 && most <= (WIDE[i - 1] ?? 0)) break;
      const found = candidate(items, field, openings, (place) => (meets[place] ?? 0) > wide, leaf, budget);
      if (found && found.mean <= items.length * 0.75 && (!best || found.mean < best.mean)) best = found;
    }
  }
  if (!best) return undefined;
  const { field, openings, narrow, groups, beside, others, total } = best;
  const itemsAt = (places: readonly number[]): ListItem[] => places.flatMap((place) => items[place] ?? []);
  const parts = groups.map(({ start, end, last }): Part => {
    const members: number[] = [];
    for (let i = start; i < end; i++) members.push(openings.places[narrow[i] ?? 0] ?? 0);
    return { from: openings.from(narrow[start] ?? 0), to: openings.to(last), items: itemsAt(merge(distinct(members), beside)) };
  });
  return { field, parts, others: itemsAt(others), total };
}

function candidate(
  items: readonly ListItem[],
  field: SplitField,
  openings: Openings,
  isWide: (place: number) => boolean,
  leaf: number,
  budget: number,
): Candidate | undefined {
  const others: number[] = [];
  const beside: number[] = [];
  items.forEach((item, place) => {
    if (item.spans[field] !== undefined && !isWide(place)) return;
    others.push(place);
    if (canHave(item, field)) beside.push(place);
  });
  const narrow = narrowOf(openings, isWide);
  if (narrow.length < 2) return undefined;
  const groups = groupsWithin({ openings, narrow, items: items.length, leaf, beside: beside.length, budget: budget - others.length });
  if (!groups || groups.length === 0) return undefined;
  const size = groups.reduce((sum, group) => sum + group.size + beside.length, 0);
  // A packet in no part has the others before it.
  const mean = Math.max(size / groups.length, others.length / 2);
  return { field, openings, narrow, groups, beside, others, mean, total: size + others.length };
}

function narrowOf({ count, places }: Openings, isWide: (place: number) => boolean): Int32Array {
  const out = new Int32Array(count);
  let length = 0;
  for (let i = 0; i < count; i++) if (!isWide(places[i] ?? 0)) out[length++] = i;
  return out.subarray(0, length);
}

/** How many ranges begin inside those of each item. */
function meetings({ count, places, until }: Openings, items: number): Int32Array {
  const out = new Int32Array(items);
  for (let i = 0; i < count; i++) {
    const place = places[i] ?? 0;
    out[place] = (out[place] ?? 0) + (until[i] ?? 0) - i - 1;
  }
  return out;
}

interface Grouping {
  readonly openings: Openings;
  readonly narrow: Int32Array;
  /** In the whole list. */
  readonly items: number;
  readonly leaf: number;
  readonly beside: number;
  readonly budget: number;
}

/** Larger and larger groups until they all fit. */
function groupsWithin(grouping: Grouping): Group[] | undefined {
  /** In which group an item was seen last; groups of all tries have their own numbers. */
  const seen = new Int32Array(grouping.items);
  let number = 1;
  for (let most = grouping.leaf; most <= grouping.narrow.length * 2; most *= 2) {
    const groups = grouped(grouping, most, seen, number);
    if (groups) return groups;
    number += grouping.narrow.length + 1;
  }
  return undefined;
}

/**
 * Cuts the values between ranges that do not meet, where enough is together; a range that meets others stays with them. Where it is cut depends on the values around the cut,
 * so that another rule elsewhere does not move it. Undefined past the budget.
 */
function grouped({ openings, narrow, beside, budget }: Grouping, most: number, seen: Int32Array, first: number): Group[] | undefined {
  const { places, until, lasts } = openings;
  const out: Group[] = [];
  let left = budget;
  let number = first;
  let start = 0;
  let size = 0;
  /** The opening that ends last. */
  let last = narrow[0] ?? 0;
  for (let i = 0; i < narrow.length; i++) {
    const at = narrow[i] ?? 0;
    const apart = i > start && at >= (until[last] ?? 0);
    if (apart && (size >= most || (size * 2 >= most && isCut(openings.from(at))))) {
      out.push({ start, end: i, last, size });
      left -= size + beside;
      number++;
      start = i;
      size = 0;
    }
    if (left < 0) return undefined;
    if (start === i || (lasts[at] ?? 0) > (lasts[last] ?? 0)) last = at;
    const place = places[at] ?? 0;
    if (seen[place] !== number) {
      seen[place] = number;
      size++;
    }
  }
  out.push({ start, end: narrow.length, last, size });
  left -= size + beside;
  return left < 0 ? undefined : out;
}

/** For one value in four. */
function isCut(value: FieldValue): boolean {
  let hash = 0x811c9dc5;
  const text = String(value);
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return ((hash ^ (hash >>> 15)) & 3) === 0;
}

/** In their order, each once. */
function distinct(places: number[]): number[] {
  places.sort((a, b) => a - b);
  return places.filter((place, i) => i === 0 || place !== places[i - 1]);
}

/** Two lists in order, without places in common, as one in order. */
function merge(a: readonly number[], b: readonly number[]): readonly number[] {
  if (a.length === 0 || b.length === 0) return a.length === 0 ? b : a;
  const out: number[] = [];
  let j = 0;
  for (const place of a) {
    for (let next = b[j]; next !== undefined && next < place; next = b[++j]) out.push(next);
    out.push(place);
  }
  for (; j < b.length; j++) out.push(b[j] ?? 0);
  return out;
}

export function describeSplit(field: SplitField): string {
  return `by ${FIELDS[field].text}`;
}
