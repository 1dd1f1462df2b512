import { type Box, boxOf, type Expr, type Operand, operandLeaves, testOperand } from '@weir/filter/ir';
import type { Action, Rule } from '../../model/rule.ts';
import { without } from './disjoint.ts';
import { unsayable } from './unsayable.ts';

interface OpenSkip {
  readonly rule: Rule;
  /** Ref of the rule where the skipped packets go on. */
  readonly to: string;
  readonly boxes: readonly Box[];
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

/** Skips that lead to a rule which takes every packet and does nothing else with it: they do what that rule does. */
export function withoutShortSkips(rules: readonly Rule[]): readonly Rule[] {
  const end = endOf(rules);
  return rules.map((rule) => {
    if (rule.action.kind !== 'skip') return rule;
    const to = rule.action.to ?? end;
    const target = rules.find(({ ref }) => ref === to);
    const plain = target && !target.log && !target.audit && target.expression.kind === 'constant' && target.expression.value;
    return plain && (target.action.kind === 'allow' || target.action.kind === 'deny')
      ? { ...rule, action: target.action, audit: false }
      : rule;
  });
}

function endOf(rules: readonly Rule[]): string | undefined {
  return (rules.find((rule) => rule.stage === 'default') ?? rules.at(-1))?.ref;
}

/**
 * What comes to each of some rules of one family, in their order: what a skip has taken does not come to the rules in between. Exact, as long as what a skip has asked for is what the rules in
 * between find; where one of them changes it, that one is refused.
 */
export class Reach {
  readonly #end: string | undefined;
  readonly #most: number;
  #open: readonly OpenSkip[] = [];

  constructor(rules: readonly Rule[], most: number) {
    this.#end = endOf(rules);
    this.#most = most;
  }

  /** Of the boxes of the next rule those packets that come to it. Throws Unsayable. */
  next(rule: Rule, boxes: readonly Box[]): readonly Box[] {
    this.#open = this.#open.filter((skip) => skip.to !== rule.ref);
    const written = writtenFields(rule.action);
    if (this.#open.some((skip) => asksFor(skip.rule.expression, written)))
      throw unsayable(`a change of ${written[0]} between a skip that asks for it and where that leads`);
    let left = boxes;
    for (const taken of this.#open.flatMap((skip) => skip.boxes)) {
      left = left.flatMap((box) => without(box, taken.literals));
      if (left.length > this.#most) throw unsayable(`more than ${this.#most} alternatives, without what is skipped`);
    }
    const to = rule.action.kind === 'skip' ? (rule.action.to ?? this.#end) : undefined;
    if (to !== undefined) this.#open = [...this.#open, { rule, to, boxes: left.flatMap(({ literals }) => boxOf(literals) ?? []) }];
    return left;
  }
}
