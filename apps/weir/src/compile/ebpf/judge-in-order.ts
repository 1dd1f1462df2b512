import type { Label } from '@weir/ebpf/asm';
import type { HookRules, Rule } from '../../model/rule.ts';
import { ANSWER, checkAction, emitCallAct, needsAct } from './act.ts';
import { emitCount } from './counters.ts';
import { emitExpression } from './expression.ts';
import { type RuleAssembler, STACK } from './layout.ts';
import { type JudgeContext, RULE, type Verdicts } from './program-context.ts';

/** Straight code, one rule after the other: what is fastest for a few rules. It ends at one of the verdicts, with the number of the rule from 1, or 0, in r9. */
export function emitInOrder(asm: RuleAssembler, hook: HookRules, verdicts: Verdicts, context: JudgeContext): void {
  const starts = hook.rules.map((rule) => asm.label(rule.ref));
  const end = asm.label('no rule');
  for (const [index, rule] of hook.rules.entries()) {
    const start = starts[index];
    const next = starts[index + 1] ?? end;
    if (start === undefined) continue;
    asm.place(start);
    const skipped = rule.action.kind === 'skip' ? (starts[skipTarget(hook, rule.action.to)] ?? end) : next;
    context.attempt(asm, rule, () => emitRule(asm, { rule, index, next, skipped, verdicts, rules: hook.rules.length }, context));
  }
  asm.place(end).mov(RULE, 0).goto(verdicts.allow);
}

/** The rule that a skip goes on at; -1 where there is none. */
export function skipTarget({ rules }: HookRules, to: string | undefined): number {
  return to === undefined ? rules.findIndex(({ stage }) => stage === 'default') : rules.findIndex(({ ref }) => ref === to);
}

interface OneRule {
  readonly rule: Rule;
  readonly index: number;
  readonly next: Label;
  /** Where it goes on when it neither allows nor denies. */
  readonly skipped: Label;
  readonly verdicts: Verdicts;
  /** How many there are. */
  readonly rules: number;
}

function emitRule(asm: RuleAssembler, { rule, index, next, skipped, verdicts, rules }: OneRule, context: JudgeContext): void {
  const { action } = rule;
  checkAction(rule, context.place);
  const hit = asm.label('it matches');
  emitExpression({ asm, depth: 0, ...context }, rule.expression, { yes: hit, no: next });
  asm.place(hit);
  if (needsAct(rule)) {
    emitCallAct(asm, context.act(), index);
    // Nothing follows that reads the transport header: r9 may be the number of the rule.
    asm.jump('r0', '==', ANSWER.goOn, skipped).mov(RULE, index + 1);
    asm.jump('r0', '==', ANSWER.allow, verdicts.allow).goto(verdicts.deny);
    return;
  }
  if (action.kind !== 'skip') {
    asm.mov(RULE, index + 1).goto(action.kind === 'allow' ? verdicts.allow : verdicts.deny);
    return;
  }
  const missing = asm.label('no counter');
  // All eight octets, so that the verifier forgets what was there.
  asm.store('u64', 'r10', STACK.scratch, index);
  emitCount(asm, rules, missing);
  asm.place(missing).goto(skipped);
}
