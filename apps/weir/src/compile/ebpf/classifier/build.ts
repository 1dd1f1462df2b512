import type { Rule } from '../../../model/rule.ts';
import { type Classes, classesOf } from './classes.ts';
import { type DimensionTables, dimensionTables } from './dimension-tables.ts';
import { type Geometry, geometryOf } from './geometry.ts';
import { type ClassifierPlan, type PlanOptions, planClassifier } from './plan.ts';
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

const MOST_DENSE = 48 * 1024;

/** Positions of one classifier; they are 16 bits of an edge. */
export const MOST_POSITIONS = 0x1_0000;

/** @throws TooLarge */
export function buildClassifier(rules: readonly Rule[], options: BuildOptions = {}): Classifier {
  const plan = planClassifier(rules, options);
  const { entries } = plan;
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
