/** Items that are the same in two lists: `count` of them from `from` in the one before, and from `to` in the one now. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** So many items are looked over where two lists differ. */
const LOOK = 40;

/**
 * What a list has in common with the one before, ascending in both; found quickly where little is inserted, removed or moved, and at least what is the same at both ends. Items are the same when they
 * are one object.
 */
export function keptSpans(before: readonly unknown[], now: readonly unknown[]): readonly Span[] {
  const spans: Span[] = [];
  const last = sameEnd(before, now);
  const [ends, endsNow] = [before.length - last, now.length - last];
  let [from, to] = [0, 0];
  for (;;) {
    let count = 0;
    while (from + count < ends && to + count < endsNow && before[from + count] === now[to + count]) count++;
    if (count > 0) spans.push({ from, to, count });
    from += count;
    to += count;
    const skipped = nextSame(before.slice(from, Math.min(ends, from + LOOK)), now.slice(to, Math.min(endsNow, to + LOOK)));
    if (!skipped) break;
    from += skipped[0];
    to += skipped[1];
  }
  if (last > 0) spans.push({ from: ends, to: endsNow, count: last });
  return spans;
}

function sameEnd(before: readonly unknown[], now: readonly unknown[]): number {
  const most = Math.min(before.length, now.length);
  let first = 0;
  while (first < most && before[first] === now[first]) first++;
  let last = 0;
  while (last < most - first && before[before.length - 1 - last] === now[now.length - 1 - last]) last++;
  return last;
}

/** How many items of each to leave out so that the next are the same, as few as can be. */
function nextSame(before: readonly unknown[], now: readonly unknown[]): readonly [number, number] | undefined {
  for (let left = 1; left < before.length + now.length; left++) {
    for (let of = Math.max(0, left - now.length + 1); of <= left && of < before.length; of++)
      if (before[of] === now[left - of]) return [of, left - of];
  }
  return undefined;
}

/** Calls back with the parts of a list of `length` that are in no span; `at` says where a span begins in it. */
export function betweenSpans(
  spans: readonly Span[],
  at: 'from' | 'to',
  length: number,
  part: (first: number, behind: number) => void,
): void {
  let next = 0;
  for (const span of spans) {
    if (next < span[at]) part(next, span[at]);
    next = span[at] + span.count;
  }
  if (next < length) part(next, length);
}
