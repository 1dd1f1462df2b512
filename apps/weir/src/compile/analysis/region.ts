import type { Expr, Test } from '@weir/filter/ir';
import { type Box, intersectBoxes, mergeBoxes, subtractBox } from './box.ts';
import { possible } from './possible.ts';
import { ask, PROTOCOL } from './question.ts';
import type { Runs } from './runs.ts';
import type { Universe } from './universe.ts';

/** Packets of one family: those in any of the boxes. */
export type Region = readonly Box[];

/** More boxes than a rule may have. */
export class TooManyBoxes extends Error {
  readonly code = 'too-many-boxes';

  constructor() {
    super('more boxes than are looked at');
    this.name = 'TooManyBoxes';
  }
}

/** Boxes of one rule in one family. */
const MAX_BOXES = 2048;

/** Packets for which an expression is true. Throws TooManyBoxes. */
export function regionOf(expression: Expr, universe: Universe): Region {
  return boxesOf(expression, universe).filter((box) => possible(universe, box) !== undefined);
}

function boxesOf(expression: Expr, universe: Universe): Region {
  switch (expression.kind) {
    case 'constant':
      return expression.value ? [universe.full] : [];
    case 'literal':
      return literal(expression.test, expression.negated, universe);
    case 'and': {
      let all: Region = [universe.full];
      for (const item of expression.items) all = intersectRegions(all, boxesOf(item, universe));
      return all;
    }
    case 'or':
      return unionRegions(expression.items.map((item) => boxesOf(item, universe)));
    case 'xor':
      return boxesOf(parity(expression.items, expression.negated), universe);
  }
}

function literal(test: Test, negated: boolean, universe: Universe): Region {
  const question = ask(test, universe.family);
  if (question.kind === 'constant') return question.value !== negated ? [universe.full] : [];
  const place = universe.index.get(question.axis.key);
  const axis = place === undefined ? undefined : universe.axes[place];
  if (place === undefined || axis === undefined) throw new RangeError(`no axis for ${question.axis.key}`);
  const inside = axis.segments(question.stretches);
  const { protocols } = question;
  if (protocols === undefined) return boxWith(universe, [[place, negated ? axis.others(inside) : inside]]);
  const protocol = universe.index.get(PROTOCOL) ?? 0;
  const numbers = universe.axes[protocol];
  const its = numbers?.segments(protocols.map((p) => ({ from: p, to: p + 1 }))) ?? [];
  if (!negated)
    return boxWith(universe, [
      [protocol, its],
      [place, inside],
    ]);
  // Packets of other protocols have no value, so the test is false of them.
  return [
    ...boxWith(universe, [[protocol, numbers?.others(its) ?? []]]),
    ...boxWith(universe, [
      [protocol, its],
      [place, axis.others(inside)],
    ]),
  ];
}

function boxWith(universe: Universe, sets: readonly (readonly [number, Runs])[]): Region {
  const box = [...universe.full];
  for (const [place, runs] of sets) {
    if (runs.length === 0) return [];
    box[place] = runs;
  }
  return [box];
}

/** Throws TooManyBoxes. */
export function intersectRegions(a: Region, b: Region): Region {
  if (a.length * b.length > 16 * MAX_BOXES) throw new TooManyBoxes();
  const out: Box[] = [];
  for (const x of a) {
    for (const y of b) {
      const both = intersectBoxes(x, y);
      if (both) out.push(both);
    }
  }
  return bounded(out);
}

/** Throws TooManyBoxes. */
export function unionRegions(regions: readonly Region[]): Region {
  return bounded(mergeBoxes(regions.flat()));
}

/** Throws TooManyBoxes. */
export function subtractRegions(a: Region, b: Region): Region {
  let rest = a;
  for (const box of b) rest = bounded(rest.flatMap((piece) => subtractBox(piece, box)));
  return rest;
}

function bounded(boxes: readonly Box[]): Region {
  if (boxes.length > MAX_BOXES) throw new TooManyBoxes();
  return boxes;
}

/** `xor` written with `and`, `or` and negated literals: one item after the other. */
function parity(items: readonly Expr[], negated: boolean): Expr {
  const [first, ...others] = items;
  if (first === undefined) return { kind: 'constant', value: negated };
  if (items.length > 8) throw new TooManyBoxes();
  let odd: Expr = first;
  for (const item of others) {
    odd = {
      kind: 'or',
      items: [
        { kind: 'and', items: [odd, negate(item)] },
        { kind: 'and', items: [negate(odd), item] },
      ],
    };
  }
  return negated ? negate(odd) : odd;
}

/** The expression that is true where this one is not. */
function negate(expression: Expr): Expr {
  switch (expression.kind) {
    case 'constant':
      return { kind: 'constant', value: !expression.value };
    case 'literal':
      return { kind: 'literal', test: expression.test, negated: !expression.negated };
    case 'and':
      return { kind: 'or', items: expression.items.map(negate) };
    case 'or':
      return { kind: 'and', items: expression.items.map(negate) };
    case 'xor':
      return { kind: 'xor', items: expression.items, negated: !expression.negated };
  }
}
