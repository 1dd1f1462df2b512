import { type Expr, encodeExpr, packetExpr } from '@weir/filter/ir';
import type { Rule } from '../../../model/rule.ts';
import type { Known } from '../expression.ts';
import { boxesOf, type RuleBox } from './boxes.ts';
import type { Dimension, Region } from './dimension.ts';

/** A box of a rule, with its place among the dimensions of the classifier. */
export interface Entry {
  /** Index of the rule. */
  readonly rule: number;
  /** By dimension; undefined takes every packet. */
  readonly regions: readonly (Region | undefined)[];
  /** What is left to ask by code, as a place in `residuals`; -1 for nothing. */
  readonly residual: number;
}

/** Code that entries share: an expression, and the rules that have it. */
export interface Residual {
  readonly expression: Expr;
  /** Each with the expression as the rule has it, which says where it stands. */
  readonly users: readonly { readonly rule: number; readonly expression: Expr }[];
}

export interface ClassifierPlan {
  readonly dimensions: readonly Dimension[];
  /** In the order of the rules; those of one rule are one after the other. */
  readonly entries: readonly Entry[];
  readonly residuals: readonly Residual[];
  /** By rule: its first entry, or that of the next rule that has one. One more than there are rules. */
  readonly starts: Int32Array;
}

export interface PlanOptions {
  readonly known?: Known | undefined;
  /** A dimension is made of what so many boxes ask for; what fewer do is asked by code. 16 unless told. */
  readonly leastUses?: number | undefined;
}

/** Each costs a look-up for every packet. */
const MOST_DIMENSIONS = 8;
const LEAST_USES = 16;

/** What rules ask of packets, as boxes of dimensions and code. */
export function planClassifier(rules: readonly Rule[], options: PlanOptions = {}): ClassifierPlan {
  const { known } = options;
  const cache = boxesFor(known);
  const boxes = rules.map(({ expression }) => {
    const before = cache.get(expression);
    if (before) return before;
    const made = boxesOf(expression, known);
    cache.set(expression, made);
    return made;
  });
  const dimensions = chooseDimensions(boxes, options.leastUses ?? LEAST_USES);
  const placeOf = new Map(dimensions.map((dimension, place) => [dimension, place]));
  const residuals = new Residuals();
  const entries: Entry[] = [];
  const starts = new Int32Array(rules.length + 1);
  for (const [rule, of] of boxes.entries()) {
    starts[rule] = entries.length;
    for (const box of of) {
      const regions = new Array<Region | undefined>(dimensions.length).fill(undefined);
      const rest = inDimensions(box, placeOf, regions, rules[rule]);
      entries.push({ rule, regions, residual: residuals.place(rest, rule) });
    }
  }
  starts[rules.length] = entries.length;
  return { dimensions, entries, residuals: residuals.list, starts };
}

/** Boxes of expressions that have been seen before, by what was known: rules that stay keep their expressions. */
const SEEN = new WeakMap<object, WeakMap<Expr, readonly RuleBox[]>>();
const NOTHING_KNOWN = {};

function boxesFor(known: Known | undefined): WeakMap<Expr, readonly RuleBox[]> {
  const key = known ?? NOTHING_KNOWN;
  let boxes = SEEN.get(key);
  if (!boxes) {
    boxes = new WeakMap();
    SEEN.set(key, boxes);
  }
  return boxes;
}

/** The dimensions that are asked for most, in an order that does not depend on that of the rules. */
function chooseDimensions(boxes: readonly (readonly RuleBox[])[], leastUses: number): readonly Dimension[] {
  const uses = new Map<Dimension, number>();
  for (const of of boxes) {
    for (const { parts } of of) {
      for (const { dimension } of parts) uses.set(dimension, (uses.get(dimension) ?? 0) + 1);
    }
  }
  return [...uses]
    .filter(([, count]) => count >= leastUses)
    .sort(([a, countA], [b, countB]) => countB - countA || (a.name < b.name ? -1 : 1))
    .slice(0, MOST_DIMENSIONS)
    .map(([dimension]) => dimension)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Sets the regions of a box; what code has to ask comes back. */
function inDimensions(
  { parts, rest }: RuleBox,
  placeOf: ReadonlyMap<Dimension, number>,
  regions: (Region | undefined)[],
  rule: Rule | undefined,
): readonly Expr[] {
  let code: Expr[] | undefined;
  for (const { dimension, region, literal } of parts) {
    const place = placeOf.get(dimension);
    if (place !== undefined) {
      regions[place] = region;
      continue;
    }
    // What several literals say together, only the whole rule says.
    if (!literal) return rule ? [rule.expression] : [];
    code ??= [...rest];
    if (!code.includes(literal)) code.push(literal);
  }
  return code ?? rest;
}

class Residuals {
  readonly list: { readonly expression: Expr; readonly users: { readonly rule: number; readonly expression: Expr }[] }[] = [];
  readonly #places = new Map<string, number>();

  place(rest: readonly Expr[], rule: number): number {
    if (rest.length === 0) return -1;
    const only = rest[0];
    const expression = rest.length === 1 && only ? only : packetExpr.and(rest);
    const key = JSON.stringify(encodeExpr(expression), (name, value: unknown) => (name === 'span' ? undefined : value));
    const known = this.#places.get(key);
    if (known !== undefined) {
      this.list[known]?.users.push({ rule, expression });
      return known;
    }
    this.#places.set(key, this.list.length);
    return this.list.push({ expression, users: [{ rule, expression }] }) - 1;
  }
}
