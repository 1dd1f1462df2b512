import type { Expr } from '@weir/filter/ir';
import type { PolicyRule } from '../../model/policy.ts';
import { exprKey } from './expr-key.ts';

/** Conjunctions of more parts than this are only compared as wholes. */
const MAX_PARTS = 6;

/**
 * Rules of one hook, in order, that no packet reaches because an earlier rule takes all that they would take: its conditions are some of theirs. By index,
 * with the earlier rule. Never wrong, and far from complete: only conditions that are the same are compared, so that it costs about the same for each rule.
 */
export function covered(rules: readonly PolicyRule[]): Map<number, PolicyRule> {
  const found = new Map<number, PolicyRule>();
  /** Rules that end the judgement, by the key of their conditions; only the first of each. */
  const takers = new Map<string, PolicyRule>();
  const marks = rules.some((rule) => rule.enabled && rule.action.kind === 'mark');
  /** The last index that a rule before skips to: what stands before it need not be judged. */
  let skippedTo = -1;
  const positions = new Map(rules.map((rule, i) => [rule.ref, i]));
  for (const [i, rule] of rules.entries()) {
    const parts = partKeys(rule.expression);
    const by = firstTaker(parts, takers, rule);
    if (by && rule.enabled) found.set(i, by);
    if (rule.enabled && rule.action.kind === 'skip' && rule.action.to !== undefined) {
      skippedTo = Math.max(skippedTo, positions.get(rule.action.to) ?? rules.length);
    }
    const key = conditionsKey(parts);
    if (i >= skippedTo && ends(rule) && !(marks && key.includes('meta.mark')) && !takers.has(key)) takers.set(key, rule);
  }
  return found;
}

/** Whether every packet that the rule takes is judged no further. */
function ends(rule: PolicyRule): boolean {
  if (!rule.enabled || rule.until !== undefined) return false;
  switch (rule.action.kind) {
    case 'allow':
      return true;
    case 'deny':
    case 'reject':
    case 'rate-limit':
      return !rule.audit;
    case 'log':
    case 'mark':
    case 'skip':
      return false;
  }
}

function partKeys(expr: Expr): readonly string[] {
  if (expr.kind === 'constant') return expr.value ? [] : ['never'];
  return expr.kind === 'and' ? expr.items.map(exprKey) : [exprKey(expr)];
}

function conditionsKey(parts: readonly string[]): string {
  return [...parts].sort().join(' and ');
}

function firstTaker(parts: readonly string[], takers: ReadonlyMap<string, PolicyRule>, rule: PolicyRule): PolicyRule | undefined {
  if (takers.size === 0 || (rule.expression.kind === 'constant' && !rule.expression.value)) return undefined;
  if (parts.length > MAX_PARTS) return takers.get(conditionsKey(parts)) ?? takers.get('');
  const sorted = [...parts].sort();
  for (let subset = 0; subset < 1 << sorted.length; subset++) {
    const taker = takers.get(sorted.filter((_, i) => (subset >> i) & 1).join(' and '));
    if (taker) return taker;
  }
  return undefined;
}
