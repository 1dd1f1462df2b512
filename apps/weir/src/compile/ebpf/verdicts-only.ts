import type { Action, HookRules, Rule } from '../../model/rule.ts';

/**
 * The rules with what they do besides their verdicts left out: what a test run asks, where nobody reads logs and nothing can be answered. Each keeps its place; what only logs
 * goes on at the next rule; limits let everything through.
 */
export function verdictsOnly(hook: HookRules): HookRules {
  return {
    ...hook,
    rules: hook.rules.map((rule, index): Rule => ({ ...rule, log: false, audit: false, action: verdictOf(rule, hook.rules[index + 1]) })),
  };
}

function verdictOf({ action, audit }: Rule, next: Rule | undefined): Action {
  const on: Action = { kind: 'skip', to: next?.ref };
  switch (action.kind) {
    case 'deny':
    case 'reject':
      return audit ? on : { kind: 'deny' };
    case 'rate-limit':
      return { kind: 'allow' };
    case 'log':
    case 'police':
      return on;
    default:
      return action;
  }
}
