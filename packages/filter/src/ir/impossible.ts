import type { Scheme } from '../scheme/index.ts';
import { impliedBy } from './conjunction.ts';
import type { Expr, RangeSet } from './expr.ts';
import type { Literal } from './fold.ts';
import { intersectSets, intSet } from './range-set.ts';

/** What packets are like at a place of an expression. */
interface Known {
  /** Numbers of protocols; undefined is any. */
  readonly protocols: RangeSet | undefined;
  readonly family: 4 | 6 | undefined;
}

/**
 * Parts that no packet passes because what they test is of different protocols or families: `tcp.dstport == 80 and udp.dstport == 53`. The parts are not constant to
 * the normal form, which knows each operand by itself.
 */
export function impossibleParts(expr: Expr, scheme: Scheme): readonly Expr[] {
  const found: Expr[] = [];
  look(expr, { protocols: undefined, family: undefined }, scheme, found);
  return found;
}

function look(expr: Expr, known: Known, scheme: Scheme, found: Expr[]): void {
  switch (expr.kind) {
    case 'constant':
    case 'xor':
      return;
    case 'literal':
      if (!narrow(known, expr, scheme)) found.push(expr);
      return;
    case 'or':
      for (const item of expr.items) look(item, known, scheme, found);
      return;
    case 'and': {
      let all: Known | undefined = known;
      for (const item of expr.items) {
        if (item.kind === 'literal') all = all && narrow(all, item, scheme);
      }
      if (!all) found.push(expr);
      else for (const item of expr.items) if (item.kind !== 'literal') look(item, all, scheme, found);
    }
  }
}

/** What is known when the literal holds too; undefined when it cannot. */
function narrow(known: Known, { test, negated }: Literal, scheme: Scheme): Known | undefined {
  if (negated) return known;
  const implied = impliedBy(test, scheme);
  const isProtocol = test.kind === 'int' && test.operand.kind === 'field' && test.operand.name === 'ip.proto.num';
  const wanted = isProtocol ? test.set : implied.protocol === undefined ? undefined : intSet(implied.protocol);
  const protocols = known.protocols && wanted ? intersectSets([known.protocols, wanted]) : (wanted ?? known.protocols);
  const family = known.family ?? implied.family;
  if (protocols?.length === 0 || (implied.family !== undefined && implied.family !== family)) return undefined;
  return { protocols, family };
}
