import { encodeExpr } from '@weir/filter/ir';
import type { Rule } from '../../../model/rule.ts';
import { classesOf } from './classes.ts';
import { equalRegions, type Region } from './dimension.ts';
import { type DimensionTables, dimensionTables } from './dimension-tables.ts';
import { type Geometry, geometryOf } from './geometry.ts';
import { type ClassifierPlan, PlanMemo, type PlanOptions, planClassifier, type Residual } from './plan.ts';
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
  /** What was built before: tables that stay the same are taken from it, and are the same objects. */
  readonly memo?: ClassifierMemo | undefined;
}

/** The tables that were built last, by dimension, with what they were built from. One for each list of rules that changes. */
export class ClassifierMemo {
  readonly plan: PlanMemo = new PlanMemo();
  readonly #built = new Map<string, Built>();

  /** The tables of a dimension for these regions, by entry; built anew where anything is different. */
  tables(name: string, from: Omit<Built, 'tables'>, build: () => DimensionTables): DimensionTables {
    const known = this.#built.get(name);
    if (known && sameSource(known, from)) return known.tables;
    const tables = build();
    this.#built.set(name, { ...from, tables });
    return tables;
  }
}

interface Built {
  readonly geometry: Geometry;
  readonly mostDense: number;
  readonly regions: readonly (Region | undefined)[];
  readonly tables: DimensionTables;
}

/** Regions are mostly the same objects where their rules have stayed. */
function sameSource(a: Omit<Built, 'tables'>, b: Omit<Built, 'tables'>): boolean {
  if (a.geometry.positions !== b.geometry.positions || a.mostDense !== b.mostDense || a.regions.length !== b.regions.length) return false;
  return a.regions.every((region, index) => {
    const other = b.regions[index];
    return region === other || (region !== undefined && other !== undefined && equalRegions(region, other));
  });
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
  const plan = planClassifier(rules, options, options.memo?.plan);
  const { entries, residuals } = plan;
  if (plan.dimensions.length === 0 || residuals.length > MOST_RESIDUALS || marksAndAsks(rules, residuals)) return undefined;
  if (entries.length > MOST_POSITIONS) throw new TooLarge(`${entries.length} cases of rules, more than ${MOST_POSITIONS}`);
  const positions = Int32Array.from(entries.keys());
  const geometry = geometryOf((positions.at(-1) ?? 0) + 1);
  const { memo = new ClassifierMemo(), mostDense = MOST_DENSE } = options;
  const dimensions = plan.dimensions.map((dimension, place) => {
    const regions = entries.map((entry) => entry.regions[place]);
    return memo.tables(dimension.name, { geometry, mostDense, regions }, () => {
      const placed = regions.map((region, index) => ({ position: positions[index] ?? 0, region }));
      return dimensionTables(dimension, classesOf(dimension, placed, geometry, mostDense));
    });
  });
  return { plan, geometry, dimensions, positions };
}

/** Code is asked before rules that set the mark have been met, so it must not ask for it where there are such. */
function marksAndAsks(rules: readonly Rule[], residuals: readonly Residual[]): boolean {
  if (!rules.some(({ action }) => action.kind === 'mark')) return false;
  return residuals.some(({ expression }) => JSON.stringify(encodeExpr(expression)).includes('"meta.mark"'));
}
