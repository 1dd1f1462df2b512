import { type Expr, operandLeaves, testOperand } from '@weir/filter/ir';
import { isEbpfHook } from '../../model/ebpf.ts';
import type { HookRules } from '../../model/rule.ts';

const STATES: ReadonlySet<string> = new Set(['ct.invalid', 'ct.established', 'ct.related', 'ct.new']);

/** Whether rules of eBPF programs ask for the state of connections: tracking has to be switched on in their namespace then, by a rule of nf_tables that asks for states. */
export function needsConnectionTracking(hooks: readonly HookRules[]): boolean {
  return hooks.some(({ hook, rules }) => isEbpfHook(hook) && rules.some(({ expression }) => asksState(expression)));
}

/** Whether an expression asks for the state of connections. */
export function asksState(expression: Expr): boolean {
  switch (expression.kind) {
    case 'constant':
      return false;
    case 'literal':
      return operandLeaves(testOperand(expression.test)).some((leaf) => leaf.kind === 'field' && STATES.has(leaf.name));
    case 'and':
    case 'or':
    case 'xor':
      return expression.items.some(asksState);
  }
}
