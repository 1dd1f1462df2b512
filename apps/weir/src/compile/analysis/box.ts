import { at, containsRuns, equalRuns, intersectRuns, overlapRuns, type Runs, subtractRuns, touchesRun, unionRuns } from './runs.ts';

/** Packets by a set of segments on every axis of their universe: those that lie in all of them. No set is empty. */
export type Box = readonly Runs[];

export const DISJOINT = -1;

/** How many axes of `box` the other one cuts: 0 when it covers the whole box, DISJOINT when they share nothing. */
export function relate(box: Box, other: Box): number {
  let cuts = 0;
  for (let i = 0; i < box.length; i++) {
    const a = box[i];
    const b = other[i];
    if (a === b || a === undefined || b === undefined) continue;
    if (a.length === 2 && b.length === 2) {
      const first = at(a, 0);
      const last = at(a, 1);
      if (first > at(b, 1) || last < at(b, 0)) return DISJOINT;
      if (first < at(b, 0) || last > at(b, 1)) cuts++;
    } else if (b.length === 2) {
      // What is left of a box after many cuts has long sets, and the boxes that cut it short ones.
      if (!touchesRun(a, at(b, 0), at(b, 1))) return DISJOINT;
      if (at(a, 0) < at(b, 0) || at(a, a.length - 1) > at(b, 1)) cuts++;
    } else if (!overlapRuns(a, b)) return DISJOINT;
    else if (!containsRuns(b, a)) cuts++;
  }
  return cuts;
}

export function intersectBoxes(a: Box, b: Box): Box | undefined {
  const out: Runs[] = [];
  for (let i = 0; i < a.length; i++) {
    const x = a[i] ?? [];
    const y = b[i] ?? [];
    const both = x === y ? x : intersectRuns(x, y);
    if (both.length === 0) return undefined;
    out.push(both);
  }
  return out;
}

/** What is in `box` and not in `other`, in boxes that are apart from each other: at most one for each axis that is cut. */
export function subtractBox(box: Box, other: Box): readonly Box[] {
  if (relate(box, other) === DISJOINT) return [box];
  const out: Box[] = [];
  const rest = [...box];
  for (let i = 0; i < box.length; i++) {
    const a = box[i] ?? [];
    const b = other[i] ?? [];
    if (a === b) continue;
    const outside = subtractRuns(a, b);
    if (outside.length === 0) continue;
    const piece = [...rest];
    piece[i] = outside;
    out.push(piece);
    rest[i] = intersectRuns(a, b);
  }
  return out;
}

/** Boxes that differ on one axis alone are put together, as long as there are any. */
export function mergeBoxes(boxes: readonly Box[], most = 64): readonly Box[] {
  const out = [...boxes];
  if (out.length > most) return out;
  for (let i = 0; i < out.length; i++) {
    for (let j = i + 1; j < out.length; j++) {
      const one = mergePair(out[i] ?? [], out[j] ?? []);
      if (!one) continue;
      out[i] = one;
      out.splice(j, 1);
      j = i;
    }
  }
  return out;
}

/** The box that is both together, when they are the same on all axes but one, or one covers the other. */
function mergePair(a: Box, b: Box): Box | undefined {
  if (relate(a, b) === 0) return b;
  if (relate(b, a) === 0) return a;
  const axis = differingAxis(a, b);
  return axis === undefined ? undefined : a.map((runs, i) => (i === axis ? unionRuns(runs, b[i] ?? []) : runs));
}

/** The only axis on which two boxes differ; undefined when they differ on several or none. */
export function differingAxis(a: Box, b: Box): number | undefined {
  let found: number | undefined;
  for (let i = 0; i < a.length; i++) {
    if (equalRuns(a[i] ?? [], b[i] ?? [])) continue;
    if (found !== undefined) return undefined;
    found = i;
  }
  return found;
}
