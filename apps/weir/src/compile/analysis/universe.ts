import type { Expr, Test } from '@weir/filter/ir';
import { Axis, type AxisSpec, type Coordinate } from './axis.ts';
import type { Box } from './box.ts';
import { ask, PROTOCOL, protocolAxis, type Question } from './question.ts';

/** The packets of one family as a space with an axis for everything that some rule asks. */
export interface Universe {
  readonly family: 4 | 6;
  readonly axes: readonly Axis[];
  /** Index of an axis by its key. */
  readonly index: ReadonlyMap<string, number>;
  /** Every packet. */
  readonly full: Box;
}

/** Axes that tell rules apart best come first; the rest in the order in which rules name them. */
const ORDER = [PROTOCOL, 'ip.dst', 'ip.src', 'dstport', 'srcport', 'icmp.type'];

/** The space of one family that the expressions span, and the atoms beside them. */
export function makeUniverse(family: 4 | 6, expressions: Iterable<Expr>, atoms: readonly AxisSpec[]): Universe {
  const cuts = new Map<string, { readonly spec: AxisSpec; readonly at: Set<Coordinate> }>();
  const cut = (spec: AxisSpec, values: Iterable<Coordinate | undefined>): void => {
    const axis = cuts.get(spec.key) ?? { spec, at: new Set<Coordinate>() };
    cuts.set(spec.key, axis);
    for (const value of values) if (value !== undefined) axis.at.add(value);
  };
  cut(protocolAxis(), []);
  const add = (question: Question): void => {
    if (question.kind === 'constant') return;
    for (const { from, to } of question.stretches) cut(question.axis, [from, to]);
    // Protocols are told apart wherever a field belongs to some of them.
    for (const protocols of [question.protocols, question.axis.protocols]) {
      if (protocols)
        cut(
          protocolAxis(),
          protocols.flatMap((p) => [p, p + 1]),
        );
    }
  };
  for (const expression of expressions) for (const test of testsOf(expression)) add(ask(test, family));
  for (const spec of atoms) cut(spec, [1]);
  const specs = [...cuts.values()].sort((a, b) => place(a.spec.key) - place(b.spec.key));
  const axes = specs.map(({ spec, at }) => new Axis(spec, at));
  return { family, axes, index: new Map(axes.map((axis, i) => [axis.spec.key, i])), full: axes.map((axis) => axis.full) };
}

function place(key: string): number {
  const found = ORDER.indexOf(key);
  return found < 0 ? ORDER.length : found;
}

export function* testsOf(expression: Expr): Iterable<Test> {
  switch (expression.kind) {
    case 'constant':
      return;
    case 'literal':
      yield expression.test;
      return;
    case 'and':
    case 'or':
    case 'xor':
      for (const item of expression.items) yield* testsOf(item);
  }
}
