import { type Expr, encodeExpr, packetExpr } from '@weir/filter/ir';
import type { Rule } from '../../../model/rule.ts';
import type { Known } from '../expression.ts';
import { boxesOf, type RuleBox } from './boxes.ts';
import type { Dimension, Region } from './dimension.ts';
import { betweenSpans, keptSpans, type Span } from './kept-spans.ts';

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
  /** Those of the entries, in a list of their own. */
  readonly regions: readonly Entry['regions'][];
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

/** A box among the dimensions of a plan. */
interface PlacedBox {
  readonly regions: readonly (Region | undefined)[];
  /** What code has to ask, with a text that is the same for boxes that ask the same. */
  readonly code: { readonly expression: Expr; readonly key: string } | undefined;
}

interface Planned {
  readonly leastUses: number;
  readonly known: Known | undefined;
  readonly expressions: readonly Expr[];
  readonly boxes: readonly (readonly RuleBox[])[];
  readonly uses: ReadonlyMap<Dimension, number>;
  /** By box, as long as the dimensions are the same. */
  readonly placed: WeakMap<RuleBox, PlacedBox>;
  /** By entry. */
  readonly places: readonly PlacedBox[];
  readonly plan: ClassifierPlan;
}

/** What was planned last: what a list of rules has in common with the one before is taken over. */
export class PlanMemo {
  last: Planned | undefined;
}

/** Does beforehand what takes longest where expressions are new; for lists that are planned in pieces. */
export function prepareRules(rules: readonly Rule[], known: Known | undefined): void {
  boxesOfRules(rules, known);
}

/** What rules ask of packets, as boxes of dimensions and code. With a memo rules that stay have the same arrays of regions, and the same entries where their numbers stay. */
export function planClassifier(rules: readonly Rule[], options: PlanOptions = {}, memo: PlanMemo = new PlanMemo()): ClassifierPlan {
  const { known, leastUses = LEAST_USES } = options;
  const before = memo.last?.leastUses === leastUses && memo.last.known === known ? memo.last : undefined;
  const expressions = rules.map(({ expression }) => expression);
  const spans = keptSpans(before?.expressions ?? [], expressions);
  const boxes = boxesOfRules(rules, known, before && { boxes: before.boxes, spans });
  const uses = countUses(before, boxes, spans);
  const chosen = chooseDimensions(uses, leastUses);
  const stays = before !== undefined && equalLists(before.plan.dimensions, chosen);
  const dimensions = stays ? before.plan.dimensions : chosen;
  const placed = stays ? before.placed : new WeakMap<RuleBox, PlacedBox>();
  const { entries, regions, places, starts } = placeBoxes(rules, boxes, {
    dimensions,
    placed,
    before: stays ? before : undefined,
    spans: stays ? spans : [],
  });
  const residuals = numberCode(entries, places);
  const plan: ClassifierPlan = { dimensions, entries, regions, residuals, starts };
  memo.last = { leastUses, known, expressions, boxes, uses, placed, places, plan };
  return plan;
}

function boxesOfRules(
  rules: readonly Rule[],
  known: Known | undefined,
  before?: { readonly boxes: Planned['boxes']; readonly spans: readonly Span[] },
): readonly (readonly RuleBox[])[] {
  const cache = boxesFor(known);
  const out = new Array<readonly RuleBox[]>(rules.length);
  for (const { from, to, count } of before?.spans ?? [])
    for (let i = 0; i < count; i++) out[to + i] = before?.boxes[from + i] as readonly RuleBox[];
  betweenSpans(before?.spans ?? [], 'to', rules.length, (first, behind) => {
    for (let rule = first; rule < behind; rule++) {
      const { expression } = rules[rule] as Rule;
      let made = cache.get(expression);
      if (!made) {
        made = boxesOf(expression, known);
        cache.set(expression, made);
      }
      out[rule] = made;
    }
  });
  return out;
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

function equalLists<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

/** How many boxes ask for each dimension. */
function countUses(
  before: Planned | undefined,
  boxes: readonly (readonly RuleBox[])[],
  spans: readonly Span[],
): ReadonlyMap<Dimension, number> {
  const uses = new Map(before?.uses);
  const count = (all: readonly (readonly RuleBox[])[], by: number) => (first: number, behind: number) => {
    for (let rule = first; rule < behind; rule++) {
      for (const { parts } of all[rule] ?? []) {
        for (const { dimension } of parts) uses.set(dimension, (uses.get(dimension) ?? 0) + by);
      }
    }
  };
  if (before) betweenSpans(spans, 'from', before.boxes.length, count(before.boxes, -1));
  betweenSpans(spans, 'to', boxes.length, count(boxes, 1));
  return uses;
}

/** The dimensions that are asked for most, in an order that does not depend on that of the rules. */
function chooseDimensions(uses: ReadonlyMap<Dimension, number>, leastUses: number): readonly Dimension[] {
  return [...uses]
    .filter(([, count]) => count >= leastUses)
    .sort(([a, countA], [b, countB]) => countB - countA || (a.name < b.name ? -1 : 1))
    .slice(0, MOST_DIMENSIONS)
    .map(([dimension]) => dimension)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface PlaceOptions {
  readonly dimensions: readonly Dimension[];
  readonly placed: WeakMap<RuleBox, PlacedBox>;
  /** With these dimensions. */
  readonly before: Planned | undefined;
  readonly spans: readonly Span[];
}

interface PlacedRules {
  readonly entries: Entry[];
  readonly regions: readonly Entry['regions'][];
  readonly places: readonly PlacedBox[];
  readonly starts: Int32Array;
}

/** Entries without the numbers of their code, or with those that they had. */
function placeBoxes(
  rules: readonly Rule[],
  boxes: readonly (readonly RuleBox[])[],
  { dimensions, placed, before, spans }: PlaceOptions,
): PlacedRules {
  const numbers = new Map(dimensions.map((dimension, place) => [dimension, place]));
  const entries: Entry[] = [];
  const regions: Entry['regions'][] = [];
  const places: PlacedBox[] = [];
  const starts = new Int32Array(rules.length + 1);
  const add = (first: number, behind: number): void => {
    for (let rule = first; rule < behind; rule++) {
      starts[rule] = entries.length;
      for (const box of boxes[rule] as readonly RuleBox[]) {
        let place = placed.get(box);
        if (!place) {
          place = placeBox(box, numbers, rules[rule]);
          placed.set(box, place);
        }
        entries.push({ rule, regions: place.regions, residual: -1 });
        regions.push(place.regions);
        places.push(place);
      }
    }
  };
  /** What has stayed. */
  const take = ({ plan, places: were }: Planned, { from, to, count }: Span): void => {
    const first = plan.starts[from] as number;
    const behind = plan.starts[from + count] as number;
    const moved = entries.length - first;
    for (let i = 0; i < count; i++) starts[to + i] = (plan.starts[from + i] as number) + moved;
    for (let at = first; at < behind; at++) {
      const entry = plan.entries[at] as Entry;
      entries.push(from === to ? entry : { rule: entry.rule + to - from, regions: entry.regions, residual: entry.residual });
      regions.push(plan.regions[at] as Entry['regions']);
      places.push(were[at] as PlacedBox);
    }
  };
  let next = 0;
  for (const span of spans) {
    add(next, span.to);
    if (before) take(before, span);
    next = span.to + span.count;
  }
  add(next, rules.length);
  starts[rules.length] = entries.length;
  return { entries, regions, places, starts };
}

/** The regions of a box, and what code has to ask. */
function placeBox(box: RuleBox, numbers: ReadonlyMap<Dimension, number>, rule: Rule | undefined): PlacedBox {
  const regions = new Array<Region | undefined>(numbers.size).fill(undefined);
  const rest = inDimensions(box, numbers, regions, rule);
  const [only] = rest;
  if (!only) return { regions, code: undefined };
  const expression = rest.length === 1 ? only : packetExpr.and(rest);
  const key = JSON.stringify(encodeExpr(expression), (name, value: unknown) => (name === 'span' ? undefined : value));
  return { regions, code: { expression, key } };
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

/** Gives code that is the same one number, in the order of the entries. */
function numberCode(entries: Entry[], places: readonly PlacedBox[]): readonly Residual[] {
  const list: { readonly expression: Expr; readonly users: { readonly rule: number; readonly expression: Expr }[] }[] = [];
  const numbers = new Map<string, number>();
  for (let index = 0; index < places.length; index++) {
    const { code } = places[index] as PlacedBox;
    if (!code) continue;
    const entry = entries[index] as Entry;
    const { expression, key } = code;
    const user = { rule: entry.rule, expression };
    let residual = numbers.get(key);
    if (residual === undefined) {
      residual = list.push({ expression, users: [user] }) - 1;
      numbers.set(key, residual);
    } else list[residual]?.users.push(user);
    if (entry.residual !== residual) entries[index] = { ...entry, residual };
  }
  return list;
}
