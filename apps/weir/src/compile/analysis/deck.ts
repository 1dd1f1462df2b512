import type { Box } from './box.ts';
import { BoxIndex } from './box-index.ts';
import type { Program } from './program.ts';
import type { Universe } from './universe.ts';

/**
 * The boxes of a program in one family, in the order of judgement and with an index: `deciding` has what the steps take that end, and the skips; `all` what any
 * step matches.
 */
export class Deck {
  readonly universe: Universe;
  readonly boxes: readonly Box[];
  /** Of each box the index of its step. */
  readonly owners: readonly number[];
  readonly #index: BoxIndex;
  /** Index of the first box of a step or of the steps after it. */
  readonly #first: Int32Array;

  constructor(program: Program, u: number, universe: Universe, which: 'deciding' | 'all') {
    const boxes: Box[] = [];
    const owners: number[] = [];
    const first = new Int32Array(program.steps.length + 1);
    for (const step of program.steps) {
      first[step.index] = boxes.length;
      if (which === 'deciding' && !step.ends && step.target === undefined) continue;
      for (const box of (which === 'all' ? step.reach[u] : step.matches[u]) ?? []) {
        boxes.push(box);
        owners.push(step.index);
      }
    }
    first[program.steps.length] = boxes.length;
    this.universe = universe;
    this.boxes = boxes;
    this.owners = owners;
    this.#first = first;
    this.#index = new BoxIndex(boxes, universe.full);
  }

  /** Indexes of the boxes that may touch `box`, of the steps from `from` up to but without `to`. */
  near(box: Box, from: number, to: number): readonly number[] {
    return this.#index.near(box, this.#first[from] ?? this.boxes.length, this.#first[to] ?? this.boxes.length);
  }
}
