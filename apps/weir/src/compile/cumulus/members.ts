import { type Expr, type IpSet, packetExpr as x } from '@weir/filter/ir';
import { unsayable } from './unsayable.ts';

/** The members of a named set; undefined where they are not known, `too-many` where there are more than lines may be written. */
export type MembersOf = (set: string) => IpSet | 'too-many' | undefined;

/** The expression with the members of its named sets in it. Throws Unsayable. */
export function withMembers(expr: Expr, members: MembersOf): Expr {
  switch (expr.kind) {
    case 'constant':
      return expr;
    case 'literal': {
      const { test, negated, span } = expr;
      if (test.kind !== 'list') return expr;
      const set = members(test.list);
      if (set === undefined) throw unsayable(`$${test.list}, whose members are not known here`, span);
      if (set === 'too-many') throw unsayable(`$${test.list}, which has more members than rules may be written`, span);
      return x.test({ kind: 'ip', operand: test.operand, set }, negated, span);
    }
    case 'and':
      return x.and(within(expr.items, members), expr.span);
    case 'or':
      return x.or(within(expr.items, members), expr.span);
    case 'xor': {
      const odd = x.xor(within(expr.items, members), expr.span);
      return expr.negated ? x.not(odd) : odd;
    }
  }
}

function within(items: readonly Expr[], members: MembersOf): readonly Expr[] {
  return items.map((item) => withMembers(item, members));
}
