import { encodeExpr } from '@weir/filter/ir';
import type { Rule } from '../../../model/rule.ts';
import { asksWhatIsWritten } from '../codepoint.ts';
import { classesOf } from './classes.ts';
import { equalRegions, type Region } from './dimension.ts';
import { type DimensionTables, dimensionTables } from './dimension-tables.ts';
import { ForestKeeper, type Forests } from './forests.ts';
import { type Geometry, geometryOf } from './geometry.ts';
import { type ClassifierPlan, PlanMemo, type PlanOptions, planClassifier, type Residual } from './plan.ts';
import { ruleKinds } from './rule-kinds.ts';
import { TooLarge } from './too-large.ts';

/** A policy as a classifier: which tables, and what is at each position of them. */
export interface Classifier {
  readonly plan: ClassifierPlan;
  /** Positions are less. */
  readonly capacity: number;
  readonly tables: Forests | Vectors;
  /** By entry of the plan, ascending. */
  readonly positions: Int32Array;
}

/** Rules as bit vectors. */
export interface Vectors {
  readonly kind: 'vectors';
  readonly geometry: Geometry;
  readonly dimensions: readonly DimensionTables[];
}

export interface BuildOptions extends PlanOptions {
  /** Trees where they stay within their bounds, or vectors in any case; trees unless told. */
  readonly form?: 'trees' | 'vectors' | undefined;
  /** Vectors of a dimension that take no more octets are dense, as a processor's nearest caches have room for them: 48 KiB unless told. */
  readonly mostDense?: number | undefined;
  /** What was built before: tables that stay the same are taken from it, and are the same objects. */
  readonly memo?: ClassifierMemo | undefined;
}

/**
 * The tables that were built last, by dimension, or all trees, with what they were built from. One for each list of rules that changes. It holds besides tables what trees are made of: about the
 * octets of nodes and records once more, and of each case (bounded by MOST_CASES of forests.ts) 8 octets a lane and 30 more in each of at most three forests.
 */
export class ClassifierMemo {
  readonly plan: PlanMemo = new PlanMemo();
  readonly #forests = new ForestKeeper();
  readonly #built = new Map<string, { readonly from: Source; readonly tables: unknown }>();

  /** Tables that are made of these regions; built anew where anything is different. `name` says of which kind they are. */
  tables<T>(name: string, from: Source, build: () => T): T {
    const known = this.#find(name, from);
    if (known) return known.tables as T;
    const tables = build();
    this.#built.set(name, { from, tables });
    return tables;
  }

  /** The entries of a plan as trees, in steps; undefined where that would take too much, and where other steps have begun meanwhile. */
  *trees({ dimensions, entries, regions }: ClassifierPlan): Generator<undefined, Forests | undefined> {
    const from = { shape: dimensions.map(({ name }) => name).join(), regions };
    const known = this.#find(TREES, from);
    if (known) return known.tables as Forests | undefined;
    const tables = yield* this.#forests.steps(dimensions, entries, regions);
    if (tables === 'superseded') return undefined;
    this.#built.set(TREES, { from, tables });
    return tables;
  }

  /** The parts of the trees, for tests. */
  parts(): ReturnType<ForestKeeper['parts']> {
    return this.#forests.parts();
  }

  #find(name: string, from: Source): { readonly tables: unknown } | undefined {
    const known = this.#built.get(name);
    return known && sameSource(known.from, from) ? known : undefined;
  }
}

const TREES = 'trees';

/** What tables are made of: of each entry the regions that they are about. */
interface Source {
  readonly shape: string;
  readonly regions: readonly (readonly (Region | undefined)[])[];
}

/** Lists of regions, or else regions, are mostly the same objects where their rules have stayed. */
function sameSource(a: Source, b: Source): boolean {
  if (a.shape !== b.shape || a.regions.length !== b.regions.length) return false;
  for (let index = 0; index < a.regions.length; index++) {
    const regions = a.regions[index];
    const others = b.regions[index];
    if (regions !== others && !regions?.every((region, place) => sameRegion(region, others?.[place]))) return false;
  }
  return true;
}

function sameRegion(a: Region | undefined, b: Region | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && equalRegions(a, b));
}

/** When, and how, rules are classified. */
export interface ClassifierOptions extends Omit<BuildOptions, 'known'> {
  /** From so many rules on. */
  readonly from?: number | undefined;
}

const MOST_DENSE = 48 * 1024;

/** Positions of one classifier; they are 16 bits of an edge, and of a record. */
const MOST_POSITIONS = 0x1_0000;

/** Which code a packet has to be asked is told by the bits of one word; its highest bit says something else. */
export const MOST_RESIDUALS = 63;

/**
 * The rules as tables; undefined where tables do not help: no field tells the rules apart, or too much different code is left to ask.
 * @throws TooLarge
 */
export function buildClassifier(rules: readonly Rule[], options: BuildOptions = {}): Classifier | undefined {
  const plan = planClassifier(rules, options, options.memo?.plan);
  const { entries, residuals } = plan;
  if (plan.dimensions.length === 0 || residuals.length > MOST_RESIDUALS || marksAndAsks(rules, residuals)) return undefined;
  // Fields are looked up before any rule has written the codepoint.
  if (ruleKinds(rules).special.some((rule) => rules[rule]?.action.kind === 'dscp') && asksWhatIsWritten(rules)) return undefined;
  if (entries.length > MOST_POSITIONS) throw new TooLarge(`${entries.length} cases of rules, more than ${MOST_POSITIONS}`);
  const positions = new Int32Array(entries.length);
  for (let index = 0; index < positions.length; index++) positions[index] = index;
  const { memo = new ClassifierMemo(), form = 'trees' } = options;
  if (form === 'trees') {
    const trees = atOnce(memo.trees(plan));
    if (trees) return { plan, capacity: entries.length, tables: trees, positions };
  }
  const tables = vectorsOf(plan, positions, memo, options.mostDense ?? MOST_DENSE);
  return { plan, capacity: tables.geometry.positions, tables, positions };
}

/**
 * Does beforehand, in steps of a few milliseconds, what of `buildClassifier` with this memo takes longest. Whatever comes in between, what is built after it is what it would be without.
 */
export function* prepareClassifier(
  rules: readonly Rule[],
  { memo, ...options }: PlanOptions & { readonly memo: ClassifierMemo },
): Generator<undefined, void> {
  const plan = planClassifier(rules, options, memo.plan);
  if (plan.dimensions.length === 0 || plan.residuals.length > MOST_RESIDUALS || plan.entries.length > MOST_POSITIONS) return;
  yield;
  yield* memo.trees(plan);
}

function atOnce<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

function vectorsOf({ dimensions, entries }: ClassifierPlan, positions: Int32Array, memo: ClassifierMemo, mostDense: number): Vectors {
  const geometry = geometryOf((positions.at(-1) ?? 0) + 1);
  const tables = dimensions.map((dimension, place) => {
    const regions = entries.map((entry) => [entry.regions[place]]);
    return memo.tables(`vectors of ${dimension.name}`, { shape: `${geometry.positions} ${mostDense}`, regions }, () => {
      const placed = regions.map(([region], index) => ({ position: positions[index] ?? 0, region }));
      return dimensionTables(dimension, classesOf(dimension, placed, geometry, mostDense));
    });
  });
  return { kind: 'vectors', geometry, dimensions: tables };
}

/** Code is asked before rules that set the mark have been met, so it must not ask for it where there are such. */
function marksAndAsks(rules: readonly Rule[], residuals: readonly Residual[]): boolean {
  if (!ruleKinds(rules).special.some((rule) => rules[rule]?.action.kind === 'mark')) return false;
  return residuals.some(({ expression }) => JSON.stringify(encodeExpr(expression)).includes('"meta.mark"'));
}
