import type { HookRules, Rule } from '../../model/rule.ts';
import { flowStepOf } from './flow-ref.ts';

/** Flow rules judge before fragments are put together where the kernel does that; iptables and ACL files have one chain there. */
const EARLY = -400;
export const PREROUTING = -150;

/** The hooks as iptables and ACL files have chains for them: flow rules, and behind them what else is judged at prerouting. */
export function withFlowChain(hooks: readonly HookRules[]): readonly HookRules[] {
  const early = hooks.find(({ hook, priority }) => hook === 'prerouting' && priority < EARLY);
  if (!early) return hooks;
  const rest = hooks.filter((one) => one !== early);
  const later = rest.find(({ hook, priority }) => hook === 'prerouting' && priority === PREROUTING);
  const [first] = later?.rules ?? [];
  if (!later || !first) return [{ ...early, priority: PREROUTING }, ...rest];
  // What flow rules let through goes on to the others.
  const end = early.rules.at(-1);
  const rules = early.rules.slice(0, -1).map((rule): Rule => {
    const { action } = rule;
    return action.kind === 'skip' && (action.to === undefined || action.to === end?.ref)
      ? { ...rule, action: { kind: 'skip', to: first.ref } }
      : rule;
  });
  return rest.map((one) => (one === later ? { ...later, rules: [...rules, ...later.rules] } : one));
}

/** Whether a hook judges by flow rules. */
export function hasFlows({ rules }: HookRules): boolean {
  return rules.some((rule) => flowStepOf(rule) !== undefined);
}
