import { MAX_PAIRING } from './limits.ts';

/** A step of both lists put together; at least one side is there. */
export interface Pair<T> {
  readonly a: T | undefined;
  readonly b: T | undefined;
}

/**
 * One list that has the order of both: equal items are one (a longest common subsequence). Lists whose product is over MAX_PAIRING are only compared at their ends.
 * `key` undefined: the item is equal to no other.
 */
export function pairLists<T>(a: readonly T[], b: readonly T[], key: (item: T) => string | undefined): readonly Pair<T>[] {
  const keysA = a.map(key);
  const keysB = b.map(key);
  const same = (i: number, j: number): boolean => keysA[i] !== undefined && keysA[i] === keysB[j];
  let head = 0;
  while (head < a.length && head < b.length && same(head, head)) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && same(a.length - 1 - tail, b.length - 1 - tail)) tail++;
  const out: Pair<T>[] = [];
  for (let i = 0; i < head; i++) out.push({ a: a[i], b: b[i] });
  const rows = a.length - head - tail;
  const columns = b.length - head - tail;
  if (rows * columns <= MAX_PAIRING) middle(a, b, head, rows, columns, same, out);
  else {
    for (let i = head; i < head + rows; i++) out.push({ a: a[i], b: undefined });
    for (let j = head; j < head + columns; j++) out.push({ a: undefined, b: b[j] });
  }
  for (let i = tail; i > 0; i--) out.push({ a: a[a.length - i], b: b[b.length - i] });
  return out;
}

function middle<T>(
  a: readonly T[],
  b: readonly T[],
  from: number,
  rows: number,
  columns: number,
  same: (i: number, j: number) => boolean,
  out: Pair<T>[],
): void {
  const width = columns + 1;
  const length = new Uint32Array((rows + 1) * width);
  const at = (i: number, j: number): number => length[i * width + j] ?? 0;
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = columns - 1; j >= 0; j--) {
      length[i * width + j] = same(from + i, from + j) ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  let i = 0;
  let j = 0;
  while (i < rows || j < columns) {
    if (i < rows && j < columns && same(from + i, from + j)) out.push({ a: a[from + i++], b: b[from + j++] });
    else if (j >= columns || (i < rows && at(i + 1, j) >= at(i, j + 1))) out.push({ a: a[from + i++], b: undefined });
    else out.push({ a: undefined, b: b[from + j++] });
  }
}
