import { type Box, DISJOINT, intersectBoxes, relate, subtractBox } from './box.ts';
import { chance, type Point, possible } from './possible.ts';
import type { Universe } from './universe.ts';

/** Bounds work that can grow: each comparison of two boxes takes one. */
export class Meter {
  #left: number;

  constructor(most: number) {
    this.#left = most;
  }

  get left(): number {
    return this.#left;
  }

  /** Throws OutOfBudget when nothing is left. */
  take(amount: number): void {
    this.#left -= amount;
    if (this.#left < 0) throw new OutOfBudget();
  }
}

export class OutOfBudget extends Error {
  readonly code = 'out-of-budget';

  constructor() {
    super('more work than is done for one question');
    this.name = 'OutOfBudget';
  }
}

/** Packets that are tried before the exact search. */
const TRIES = 6;

/**
 * A packet that can exist, lies in `box` and in none of `covers`; undefined when there is none. Exact. `used` gets the indexes of the covers that the proof
 * of the latter needed. Throws OutOfBudget.
 */
export function uncovered(universe: Universe, box: Box, covers: readonly Box[], meter: Meter, used?: Set<number>): Point | undefined {
  meter.take(covers.length);
  const live: number[] = [];
  for (let i = 0; i < covers.length; i++) {
    const cuts = relate(box, covers[i] ?? []);
    if (cuts === 0) {
      used?.add(i);
      return undefined;
    }
    if (cuts !== DISJOINT) live.push(i);
  }
  if (live.length === 0) return possible(universe, box);
  const random = generator();
  for (let i = 0; i < TRIES; i++) {
    const point = i === 0 ? possible(universe, box) : chance(universe, box, random);
    if (i === 0 && point === undefined) return undefined;
    meter.take(live.length);
    if (point && !live.some((c) => holds(covers[c] ?? [], point))) return point;
  }
  return search(universe, box, covers, live, meter, used);
}

/** The same of a box that each of `live` cuts. Splits it at the cover that leaves the least and goes on with what is left. */
function search(
  universe: Universe,
  box: Box,
  covers: readonly Box[],
  live: readonly number[],
  meter: Meter,
  used: Set<number> | undefined,
): Point | undefined {
  let best = -1;
  let least = Number.POSITIVE_INFINITY;
  meter.take(live.length);
  const near: number[] = [];
  for (const c of live) {
    const cuts = relate(box, covers[c] ?? []);
    if (cuts === DISJOINT) continue;
    if (cuts === 0) {
      used?.add(c);
      return undefined;
    }
    near.push(c);
    if (cuts < least) {
      least = cuts;
      best = c;
    }
  }
  // Most boxes that cannot exist go here, before they are cut further.
  const some = possible(universe, box);
  if (some === undefined || near.length === 0) return some;
  if (!near.some((c) => holds(covers[c] ?? [], some))) return some;
  const rest = near.filter((c) => c !== best);
  used?.add(best);
  for (const piece of subtractBox(box, covers[best] ?? [])) {
    const found = search(universe, piece, covers, rest, meter, used);
    if (found) return found;
  }
  return undefined;
}

export function holds(box: Box, point: Point): boolean {
  for (let i = 0; i < box.length; i++) {
    const runs = box[i];
    const value = point[i] ?? 0;
    if (runs === undefined) continue;
    let inside = false;
    for (let k = 0; k < runs.length && !inside; k += 2) inside = value >= (runs[k] ?? 0) && value <= (runs[k + 1] ?? 0);
    if (!inside) return false;
  }
  return true;
}

/** A packet in both boxes that is in none of the covers. Throws OutOfBudget. */
export function uncoveredOverlap(universe: Universe, a: Box, b: Box, covers: readonly Box[], meter: Meter): Point | undefined {
  const both = intersectBoxes(a, b);
  return both && uncovered(universe, both, covers, meter);
}

/** The same numbers every time: mulberry32. */
function generator(): () => number {
  let state = 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
