import { type Expr, type Operand, operandLeaves, testOperand, packetExpr as x } from '@weir/filter/ir';
import type { Action, Rule } from '../../model/rule.ts';
import { unsayable } from './unsayable.ts';

/** What a rule asks of a packet that comes to it: its own expression, and that no rule before it leads past it. */
export interface ReachedRule {
  readonly rule: Rule;
  /** Why it cannot be said, where it cannot. */
  readonly expression: Expr | Error;
}

interface OpenSkip {
  readonly condition: Expr;
  /** Ref of the rule where the skipped packets go on. */
  readonly to: string;
}

/** Fields whose values an action changes. */
export function writtenFields(action: Action): readonly string[] {
  return action.kind === 'mark' ? ['meta.mark'] : action.kind === 'dscp' ? ['ip.dscp', 'ip.tos'] : [];
}

/** Whether an expression asks for one of the fields. */
export function asksFor(expr: Expr, fields: readonly string[]): boolean {
  if (expr.kind === 'constant' || fields.length === 0) return false;
  if (expr.kind !== 'literal') return expr.items.some((item) => asksFor(item, fields));
  return operandLeaves(testOperand(expr.test)).some((leaf: Operand) => leaf.kind === 'field' && fields.includes(leaf.name));
}

/**
 * Rules of which none needs to lead on to another: what a rule skips is left out of the expressions of the rules in between. Exact, as long as what a skip has asked for is what the
 * rules in between find; where one of them changes it, that one is refused.
 */
export function withoutSkips(rules: readonly Rule[], expressionOf: (rule: Rule) => Expr): readonly ReachedRule[] {
  const end = (rules.find((rule) => rule.stage === 'default') ?? rules.at(-1))?.ref;
  let open: OpenSkip[] = [];
  return rules.map((rule) => {
    open = open.filter((skip) => skip.to !== rule.ref);
    try {
      const expression = x.and([expressionOf(rule), ...open.map((skip) => x.not(skip.condition))]);
      const written = writtenFields(rule.action);
      if (open.some((skip) => asksFor(skip.condition, written)))
        throw unsayable(`a change of ${written[0]} between a skip that asks for it and where that leads`);
      const to = rule.action.kind === 'skip' ? (rule.action.to ?? end) : undefined;
      if (to !== undefined) open = [...open, { condition: expression, to }];
      return { rule, expression };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return { rule, expression: error };
    }
  });
}
