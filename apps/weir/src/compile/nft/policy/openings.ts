import type { FieldValue } from '../image.ts';
import type { ListItem, Span, SplitField } from './field-index.ts';

/** Up to so many ranges are sorted as one number each: 32 bits of a value and 20 of a place. */
const MOST_PACKED = 1 << 20;

type Value = number | bigint;
type Column = readonly Value[] | Float64Array;

/** The ranges that the items of a list have for a field, in order of their first values, then of their last ones; in columns. */
export interface Openings {
  readonly count: number;
  /** Place of the item in the list. */
  readonly places: Int32Array;
  readonly lasts: Column;
  /** How many ranges begin no later than this one ends. */
  readonly until: Int32Array;
  readonly from: (i: number) => FieldValue;
  readonly to: (i: number) => FieldValue;
}

export function openingsOf(items: readonly ListItem[], field: SplitField): Openings {
  const owners: number[] = [];
  const spans: Span[] = [];
  for (let place = 0; place < items.length; place++) {
    for (const span of items[place]?.spans[field] ?? []) {
      owners.push(place);
      spans.push(span);
    }
  }
  const wide = field === 'saddr6' || field === 'daddr6';
  const order = wide || spans.length > MOST_PACKED ? plainOrder(spans) : packedOrder(spans);
  const count = order.length;
  const column = (of: (span: Span) => Value): Column => {
    const values = order.map((i) => {
      const span = spans[i];
      return span ? of(span) : 0;
    });
    return wide ? values : Float64Array.from(values, Number);
  };
  const firsts = column((span) => span.first);
  const lasts = column((span) => span.last);
  const until = new Int32Array(count);
  for (let i = 0; i < count; i++) until[i] = countUpTo(firsts, lasts[i] ?? 0, i, count);
  const at = (i: number): Span['range'] => spans[order[i] ?? 0]?.range ?? [0, 0];
  return { count, places: Int32Array.from(order, (i) => owners[i] ?? 0), lasts, until, from: (i) => at(i)[0], to: (i) => at(i)[1] };
}

/** How many of the sorted values are no higher; those before `from` are not. */
function countUpTo(sorted: Column, value: Value, from: number, to: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function plainOrder(spans: readonly Span[]): number[] {
  return spans.map((_, i) => i).sort((a, b) => compare(spans[a], spans[b]));
}

/** The same for numbers of 32 bits: place and first value as one number, for which sorting is native. */
function packedOrder(spans: readonly Span[]): number[] {
  const keys = Float64Array.from(spans, ({ first }, i) => Number(first) * MOST_PACKED + i).sort();
  const order = Array.from(keys, (key) => key % MOST_PACKED);
  let start = 0;
  for (let i = 1; i <= order.length; i++) {
    const before = spans[order[start] ?? 0]?.first;
    if (i < order.length && spans[order[i] ?? 0]?.first === before) continue;
    // Those that begin together, by their ends.
    if (i - start > 1) {
      const run = order.slice(start, i).sort((a, b) => compare(spans[a], spans[b]));
      for (let k = 0; k < run.length; k++) order[start + k] = run[k] ?? 0;
    }
    start = i;
  }
  return order;
}

function compare(a: Span | undefined, b: Span | undefined): number {
  if (!a || !b) return 0;
  return a.first < b.first ? -1 : a.first > b.first ? 1 : a.last < b.last ? -1 : a.last > b.last ? 1 : 0;
}
