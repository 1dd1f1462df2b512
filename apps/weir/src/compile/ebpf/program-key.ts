import { evaluate, NO_LISTS } from '@weir/filter/eval';
import { type Expr, rootField, testOperand } from '@weir/filter/ir';
import type { HookRules } from '../../model/rule.ts';
import type { Variant } from './variants.ts';

/**
 * Says which variants of a hook have the same program: those of one place whose interfaces the rules cannot tell apart. Most rules ask for none, and the base only for `lo`, so that a thousand
 * interfaces have one program.
 */
export function programKeys({ rules }: HookRules): (variant: Variant) => string {
  const asked = new Set<Expr>();
  for (const { expression } of rules) for (const literal of literalsOf(expression)) asked.add(literal);
  return ({ place, known }) => {
    const answers = known ? [...asked].map((test) => (evaluate(test, known.subject, NO_LISTS) ? '1' : '0')) : [];
    return `${place} ${answers.join('')}`;
  };
}

/** Of expressions that were looked at before: rules that stay keep them. */
const ASKED = new WeakMap<Expr, readonly Expr[]>();
const NONE: readonly Expr[] = [];

function literalsOf(expression: Expr): readonly Expr[] {
  const known = ASKED.get(expression);
  if (known) return known;
  const found = new Set<Expr>();
  collect(expression, found);
  const list = found.size === 0 ? NONE : [...found];
  ASKED.set(expression, list);
  return list;
}

/** The literals of an expression that ask for an interface. */
function collect(expr: Expr, into: Set<Expr>): void {
  if (expr.kind === 'constant') return;
  if (expr.kind !== 'literal') {
    for (const item of expr.items) collect(item, into);
    return;
  }
  const root = rootField(testOperand(expr.test));
  if (root === 'iif.name' || root === 'oif.name') into.add(expr);
}
