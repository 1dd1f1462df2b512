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
  /** Rules that end the judgement, by their conditions; only the first of each. */
  const takers = new Map<string, PolicyRule>();
  /** Every condition of one of them. */
  const taken = new Set<number>();
  const conditions = new Conditions();
  const marks = rules.some((rule) => rule.enabled && rule.action.kind === 'mark');
  /** The last index that a rule before skips to: what stands before it need not be judged. */
  let skippedTo = -1;
  const positions = new Map(rules.map((rule, i) => [rule.ref, i]));
  for (const [i, rule] of rules.entries()) {
    const { expression: expr, action } = rule;
    // What takes nothing is told of where its conditions are read.
    if (!rule.enabled || (expr.kind === 'constant' && !expr.value)) continue;
    const parts = conditions.of(expr);
    const by = firstTaker(parts, takers, taken);
    if (by) found.set(i, by);
    if (action.kind === 'skip' && action.to !== undefined) skippedTo = Math.max(skippedTo, positions.get(action.to) ?? rules.length);
    const key = parts.join();
    if (i >= skippedTo && ends(rule) && !takers.has(key) && !(marks && exprKey(expr).includes('meta.mark'))) {
      takers.set(key, rule);
      for (const part of parts) taken.add(part);
    }
  }
  return found;
}

/** Numbers for conditions: the same for the same. */
class Conditions {
  readonly #numbers = new Map<string, number>();

  /** Those of a conjunction, in order; none for what always holds. */
  of(expr: Expr): readonly number[] {
    if (expr.kind === 'constant') return [];
    const parts = expr.kind === 'and' ? expr.items : [expr];
    return parts.map((part) => this.#number(exprKey(part))).sort((a, b) => a - b);
  }

  #number(key: string): number {
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(key, number);
    }
    return number;
  }
}

/** Whether every packet that the rule takes is judged no further. */
function ends(rule: PolicyRule): boolean {
  // A program of the user's may answer otherwise the next time.
  if (!rule.enabled || rule.until !== undefined || rule.program) return false;
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

/** The rule of `takers` whose conditions are all among `parts`; `taken` are the conditions of any of them. */
function firstTaker(parts: readonly number[], takers: ReadonlyMap<string, PolicyRule>, taken: ReadonlySet<number>): PolicyRule | undefined {
  const shared = parts.filter((part) => taken.has(part));
  if (shared.length > MAX_PARTS) return takers.get(shared.join()) ?? takers.get('');
  let first: PolicyRule | undefined;
  for (let subset = 0; subset < 1 << shared.length && first === undefined; subset++) {
    first = takers.get(shared.filter((_, i) => (subset >> i) & 1).join());
  }
  return first;
}
