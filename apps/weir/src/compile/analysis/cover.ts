import { type Box, DISJOINT, relate, subtractBox } from './box.ts';
import { chance, type Point, possible } from './possible.ts';
import { at, hasNumber } from './runs.ts';
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
const TRIES = 5;

/**
 * A packet that can exist, lies in `box` and in none of `covers`; undefined when there is none. Exact. `used` gets the indexes of the covers that the proof
 * of the latter needed. Throws OutOfBudget.
 */
export function uncovered(universe: Universe, box: Box, covers: readonly Box[], meter: Meter, used?: Set<number>): Point | undefined {
  const random = generator();
  const first = possible(universe, box);
  if (first === undefined) return undefined;
  for (let i = 0; i < TRIES; i++) {
    const point = i === 0 ? first : chance(universe, box, random);
    meter.take(covers.length);
    if (point && !covers.some((cover) => holds(cover, point))) return point;
  }
  return search(universe, box, covers, [...covers.keys()], meter, used);
}

/**
 * The same of a box that each of `live` may cut. Covers that cut it on one axis leave one box, so they are taken away at once; then it is split at the cover that cuts the
 * fewest axes.
 */
function search(
  universe: Universe,
  whole: Box,
  covers: readonly Box[],
  live: readonly number[],
  meter: Meter,
  used: Set<number> | undefined,
): Point | undefined {
  let box = whole;
  let near = live;
  for (let shrinks = true; shrinks; ) {
    shrinks = false;
    meter.take(near.length);
    const touching: number[] = [];
    for (const c of near) {
      const cuts = relate(box, covers[c] ?? []);
      if (cuts === 0) {
        used?.add(c);
        return undefined;
      }
      if (cuts !== DISJOINT) touching.push(c);
    }
    const kept: number[] = [];
    for (const c of touching) {
      const cover = covers[c] ?? [];
      const cuts = relate(box, cover);
      if (cuts === DISJOINT) continue;
      if (cuts > 1) {
        kept.push(c);
        continue;
      }
      used?.add(c);
      const [rest] = subtractBox(box, cover);
      if (rest === undefined) return undefined;
      box = rest;
      shrinks = true;
    }
    near = kept;
  }
  // Most boxes that cannot exist go here, before they are cut further.
  const some = possible(universe, box);
  if (some === undefined || !near.some((c) => holds(covers[c] ?? [], some))) return some;
  let best = -1;
  let least = Number.POSITIVE_INFINITY;
  for (const c of near) {
    const cuts = relate(box, covers[c] ?? []);
    if (cuts >= least) continue;
    least = cuts;
    best = c;
  }
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
    if (runs.length === 2 ? value < at(runs, 0) || value > at(runs, 1) : !hasNumber(runs, value)) return false;
  }
  return true;
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
