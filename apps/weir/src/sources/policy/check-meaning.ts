import { ALL_IPS, type Expr, equalIpSets, equalSets, type IpSet } from '@weir/filter/ir';
import type { BuiltRule, RuleContext } from './build-rule.ts';
import { onlyTcp } from './only-tcp.ts';

/** What a single rule comes to: everything, nothing any more, or more than its author may think. */
export function checkMeaning({ rule, table }: BuiltRule, { now, report }: RuleContext): void {
  const { expression, action } = rule;
  if (action.kind === 'allow' && rule.enabled) {
    const what = everything(expression);
    if (what !== undefined)
      report('W005', table.place('name'), `this rule allows ${what}`, 'say for what it is: sources, ports, an interface');
  }
  if (action.kind === 'reject' && action.with === 'tcp-reset' && !onlyTcp(expression)) {
    report('E042', table.place('reject_with'), 'tcp-reset answers TCP, and this rule takes other protocols too', 'write protocol: tcp');
  }
  if (rule.until !== undefined && rule.until <= now)
    report('W008', table.place('until'), 'the time of this rule is over, so it is not enforced');
}

/** What of all packets an expression takes, when that is all of a family or of both. */
function everything(expr: Expr): string | undefined {
  if (expr.kind === 'constant') return expr.value ? 'everything' : undefined;
  if (expr.kind !== 'literal' || expr.negated || expr.test.kind !== 'ip' || expr.test.operand.kind !== 'field') return undefined;
  const { set } = expr.test;
  if (equalIpSets(set, ALL_IPS)) return 'everything';
  return coversFamily(set, 'v4') ? 'everything of IPv4' : coversFamily(set, 'v6') ? 'everything of IPv6' : undefined;
}

function coversFamily(set: IpSet, family: 'v4' | 'v6'): boolean {
  return equalSets(set[family], ALL_IPS[family]);
}
