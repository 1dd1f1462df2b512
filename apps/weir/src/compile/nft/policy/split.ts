import { FIELDS } from '../fields.ts';
import type { FieldValue } from '../image.ts';
import { canHave, type ListItem, SPLIT_FIELDS, type SplitField } from './field-index.ts';

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

interface Group {
  readonly from: FieldValue;
  readonly to: FieldValue;
  readonly members: readonly ListItem[];
}

interface Opening {
  readonly first: number | bigint;
  readonly last: number | bigint;
  readonly from: FieldValue;
  readonly to: FieldValue;
  readonly item: ListItem;
}

/** A range that meets more others than this may be left beside the parts, where it is in each of them. */
const WIDE = [16, 64, 256, Number.POSITIVE_INFINITY] as const;

interface Candidate {
  readonly field: SplitField;
  readonly groups: readonly Group[];
  readonly beside: readonly ListItem[];
  readonly others: readonly ListItem[];
  readonly mean: number;
  readonly total: number;
}

/** The split after which a packet meets the shortest list, of those whose lists have `budget` items together at most; undefined where none is worth it. */
export function bestSplit(items: readonly ListItem[], leaf: number, budget: number): Split | undefined {
  let best: Candidate | undefined;
  for (const field of SPLIT_FIELDS) {
    const held = items.filter((item) => item.spans[field] !== undefined);
    if (held.length < 2 || held.length * 8 < items.length) continue;
    const all = openings(held, field);
    const meets = meetings(all);
    const most = Math.max(0, ...meets.values());
    for (const [i, wide] of WIDE.entries()) {
      // The same as with the bound before it.
      if (i > 0 && most <= (WIDE[i - 1] ?? 0)) break;
      const found = candidate(items, field, all, (item) => (meets.get(item) ?? 0) > wide, leaf, budget);
      if (found && found.mean <= items.length * 0.75 && (!best || found.mean < best.mean)) best = found;
    }
  }
  if (!best) return undefined;
  const { field, groups, beside, others, total } = best;
  return { field, parts: groups.map(({ from, to, members }) => ({ from, to, items: inOrder(members, beside) })), others, total };
}

function candidate(
  items: readonly ListItem[],
  field: SplitField,
  all: readonly Opening[],
  isWide: (item: ListItem) => boolean,
  leaf: number,
  budget: number,
): Candidate | undefined {
  const others = items.filter((item) => item.spans[field] === undefined || isWide(item));
  const beside = others.filter((item) => canHave(item, field));
  const narrow = all.filter(({ item }) => !isWide(item));
  if (narrow.length < 2) return undefined;
  const groups = groupsWithin(narrow, leaf, beside.length, budget - others.length);
  if (!groups || groups.length === 0) return undefined;
  const size = groups.reduce((sum, group) => sum + group.members.length + beside.length, 0);
  // A packet in no part has the others before it.
  return { field, groups, beside, others, mean: Math.max(size / groups.length, others.length / 2), total: size + others.length };
}

/** How many ranges begin inside those of each item. */
function meetings(all: readonly Opening[]): ReadonlyMap<ListItem, number> {
  const out = new Map<ListItem, number>();
  all.forEach((opening, i) => {
    let low = i;
    let high = all.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((all[middle]?.first ?? 0) <= opening.last) low = middle + 1;
      else high = middle;
    }
    out.set(opening.item, (out.get(opening.item) ?? 0) + low - i - 1);
  });
  return out;
}

/** Larger and larger groups until they all fit. */
function groupsWithin(all: readonly Opening[], leaf: number, beside: number, budget: number): Group[] | undefined {
  for (let most = leaf; most <= all.length * 2; most *= 2) {
    const groups = grouped(all, most, beside, budget);
    if (groups) return groups;
  }
  return undefined;
}

function openings(items: readonly ListItem[], field: SplitField): Opening[] {
  const out: Opening[] = [];
  for (const item of items) {
    for (const { first, last, range } of item.spans[field] ?? []) out.push({ first, last, from: range[0], to: range[1], item });
  }
  return out.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : a.last < b.last ? -1 : a.last > b.last ? 1 : 0));
}

/**
 * Cuts the values between ranges that do not meet, where enough is together; a range that meets others stays with them. Where it is cut depends on the values around the cut,
 * so that another rule elsewhere does not move it. Undefined past the budget.
 */
function grouped(all: readonly Opening[], most: number, beside: number, budget: number): Group[] | undefined {
  const out: Group[] = [];
  let left = budget;
  let members = new Set<ListItem>();
  let start: Opening | undefined;
  let end: Opening | undefined;
  const close = (): void => {
    if (start && end) out.push({ from: start.from, to: end.to, members: [...members] });
    left -= members.size + beside;
    members = new Set();
    start = undefined;
  };
  for (const opening of all) {
    if (end && start && opening.first > end.last && (members.size >= most || (members.size * 2 >= most && isCut(opening.from)))) close();
    if (left < 0) return undefined;
    start ??= opening;
    if (!end || start === opening || opening.last > end.last) end = opening;
    members.add(opening.item);
  }
  close();
  return left < 0 ? undefined : out;
}

/** For one value in four. */
function isCut(value: FieldValue): boolean {
  let hash = 0x811c9dc5;
  const text = String(value);
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return ((hash ^ (hash >>> 15)) & 3) === 0;
}

function inOrder(a: readonly ListItem[], b: readonly ListItem[]): ListItem[] {
  return [...a, ...b].sort((x, y) => x.index - y.index);
}

export function describeSplit(field: SplitField): string {
  return `by ${FIELDS[field].text}`;
}
