import type { Expr } from '@weir/filter/ir';
import type { Action, Rule } from '../model/rule.ts';

/** A rule as tests need it: of the policy, of priority 1000, and nothing beside what is given. */
export function testRule(ref: string, expression: Expr, action: Action = { kind: 'allow' }, more: Partial<Rule> = {}): Rule {
  return {
    ref,
    name: ref,
    stage: 'policy',
    priority: 1000,
    expression,
    text: '',
    action,
    log: false,
    audit: false,
    provenance: { kind: 'builtin' },
    ...more,
  };
}
