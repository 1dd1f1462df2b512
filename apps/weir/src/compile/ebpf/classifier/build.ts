import { encodeExpr } from '@weir/filter/ir';
import type { Rule } from '../../../model/rule.ts';
import { type Classes, classesOf } from './classes.ts';
import { type DimensionTables, dimensionTables } from './dimension-tables.ts';
import { type Geometry, geometryOf } from './geometry.ts';
import { type ClassifierPlan, type PlanOptions, planClassifier, type Residual } from './plan.ts';
import { TooLarge } from './too-large.ts';

/** A policy as a classifier: which tables, and what is at each position of their vectors. */
export interface Classifier {
  readonly plan: ClassifierPlan;
  readonly geometry: Geometry;
  readonly dimensions: readonly DimensionTables[];
  /** By entry of the plan, ascending. */
  readonly positions: Int32Array;
}

export interface BuildOptions extends PlanOptions {
  /** Vectors of a dimension that take no more octets are dense, as a processor's nearest caches have room for them: 48 KiB unless told. */
  readonly mostDense?: number | undefined;
}

/** When, and how, rules are classified. */
export interface ClassifierOptions extends Omit<BuildOptions, 'known'> {
  /** From so many rules on. */
  readonly from?: number | undefined;
}

const MOST_DENSE = 48 * 1024;

/** Positions of one classifier; they are 16 bits of an edge. */
export const MOST_POSITIONS = 0x1_0000;

/** Which code a packet has to be asked is told by the bits of one word; its highest bit says something else. */
export const MOST_RESIDUALS = 63;

/**
 * The rules as tables; undefined where tables do not help: no field tells the rules apart, or too much different code is left to ask.
 * @throws TooLarge
 */
export function buildClassifier(rules: readonly Rule[], options: BuildOptions = {}): Classifier | undefined {
  const plan = planClassifier(rules, options);
  const { entries, residuals } = plan;
  if (plan.dimensions.length === 0 || residuals.length > MOST_RESIDUALS || marksAndAsks(rules, residuals)) return undefined;
  if (entries.length > MOST_POSITIONS) throw new TooLarge(`${entries.length} cases of rules, more than ${MOST_POSITIONS}`);
  const positions = Int32Array.from(entries.keys());
  const geometry = geometryOf((positions.at(-1) ?? 0) + 1);
  const dimensions = plan.dimensions.map((dimension, place) => {
    const placed = entries.map(({ regions }, index) => ({ position: positions[index] ?? 0, region: regions[place] }));
    const classes: Classes = classesOf(dimension, placed, geometry, options.mostDense ?? MOST_DENSE);
    return dimensionTables(dimension, classes);
  });
  return { plan, geometry, dimensions, positions };
}

/** Code is asked before rules that set the mark have been met, so it must not ask for it where there are such. */
function marksAndAsks(rules: readonly Rule[], residuals: readonly Residual[]): boolean {
  if (!rules.some(({ action }) => action.kind === 'mark')) return false;
  return residuals.some(({ expression }) => JSON.stringify(encodeExpr(expression)).includes('"meta.mark"'));
}
