/**
 * A set of whole numbers: first and last of each run, both included, in pairs and in order; runs are apart from each other by at least one number.
 * `[2, 5, 9, 9]` is 2 to 5 and 9.
 */
export type Runs = readonly number[];

export const NOTHING: Runs = [];

export function hasNumber(runs: Runs, value: number): boolean {
  return touchesRun(runs, value, value);
}

/** Whether some number from `first` to `last` is in the set. */
export function touchesRun(runs: Runs, first: number, last: number): boolean {
  // The first run that ends at `first` or later.
  let low = 0;
  let high = runs.length >>> 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(runs, 2 * middle + 1) < first) low = middle + 1;
    else high = middle;
  }
  return 2 * low < runs.length && at(runs, 2 * low) <= last;
}

export function overlapRuns(a: Runs, b: Runs): boolean {
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (at(a, i + 1) < at(b, j)) i += 2;
    else if (at(b, j + 1) < at(a, i)) j += 2;
    else return true;
  }
  return false;
}

/** Whether every number of `inner` is in `outer`. */
export function containsRuns(outer: Runs, inner: Runs): boolean {
  let j = 0;
  for (let i = 0; i < inner.length; i += 2) {
    while (j < outer.length && at(outer, j + 1) < at(inner, i)) j += 2;
    if (j >= outer.length || at(outer, j) > at(inner, i) || at(outer, j + 1) < at(inner, i + 1)) return false;
  }
  return true;
}

export function intersectRuns(a: Runs, b: Runs): Runs {
  const out: number[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const first = Math.max(at(a, i), at(b, j));
    const last = Math.min(at(a, i + 1), at(b, j + 1));
    if (first <= last) out.push(first, last);
    if (at(a, i + 1) < at(b, j + 1)) i += 2;
    else j += 2;
  }
  return out;
}

/** What is in `a` and not in `b`. */
export function subtractRuns(a: Runs, b: Runs): Runs {
  const out: number[] = [];
  let j = 0;
  for (let i = 0; i < a.length; i += 2) {
    let first = at(a, i);
    const last = at(a, i + 1);
    while (j < b.length && at(b, j + 1) < first) j += 2;
    for (let k = j; k < b.length && at(b, k) <= last; k += 2) {
      if (at(b, k) > first) out.push(first, at(b, k) - 1);
      first = at(b, k + 1) + 1;
    }
    if (first <= last) out.push(first, last);
  }
  return out;
}

/** Pairs in any order, overlapping or touching as they like, as a set. */
export function runsOfPairs(pairs: readonly (readonly [number, number])[]): Runs {
  const sorted = [...pairs].sort((a, b) => a[0] - b[0]);
  const out: number[] = [];
  for (const [first, last] of sorted) {
    const end = out.length - 1;
    if (end > 0 && first <= at(out, end) + 1) out[end] = Math.max(at(out, end), last);
    else out.push(first, last);
  }
  return out;
}

export function unionRuns(a: Runs, b: Runs): Runs {
  return runsOfPairs([...pairsOf(a), ...pairsOf(b)]);
}

export function equalRuns(a: Runs, b: Runs): boolean {
  return a === b || (a.length === b.length && a.every((value, i) => value === b[i]));
}

function* pairsOf(runs: Runs): Iterable<readonly [number, number]> {
  for (let i = 0; i < runs.length; i += 2) yield [at(runs, i), at(runs, i + 1)];
}

/** The number at a place that is known to be there. */
export function at(runs: Runs, index: number): number {
  return runs[index] ?? Number.NaN;
}
