import type { HookRules, Rule } from '../../../../model/rule.ts';

/** What flow rules do. */
const ACTIONS: ReadonlySet<string> = new Set(['deny', 'log', 'mark', 'dscp', 'police', 'skip']);

/** The rules of a hook of flow rules alone: those that stand before all of them, flow rules, and what is behind. */
export interface FlowList {
  /** What no flow rule touches. */
  readonly shields: readonly (readonly Rule[])[];
  /** Rules that look at the same packets together. */
  readonly flows: readonly (readonly Rule[])[];
  readonly last: Rule;
}

/** Undefined for a hook that has other rules, or skips to anywhere but its last rule. */
export function flowListOf({ rules }: HookRules): FlowList | undefined {
  const last = rules.at(-1);
  const everything = last?.expression.kind === 'constant' && last.expression.value;
  if (!last || !everything || last.action.kind !== 'allow' || last.log) return undefined;
  const shields: Rule[][] = [];
  const flows: Rule[][] = [];
  let open: Rule[] | undefined;
  for (let i = 0; i < rules.length - 1; i++) {
    const rule = rules[i];
    if (!rule) continue;
    const { action, audit, expression, stage } = rule;
    if (audit || !ACTIONS.has(action.kind) || (action.kind === 'skip' && action.to !== last.ref)) return undefined;
    if (action.kind === 'police' && action.limit.per !== 'rule') return undefined;
    if (open?.[0]?.expression === expression && !writesWhatIsAsked(open)) {
      open.push(rule);
      continue;
    }
    if (stage === 'protected' && flows.length > 0) return undefined;
    open = [rule];
    (stage === 'protected' ? shields : flows).push(open);
  }
  return { shields, flows, last };
}

/** The steps behind such a rule look at what it has written. */
function writesWhatIsAsked(rules: readonly Rule[]): boolean {
  return rules.some(({ action, text }) => action.kind === 'dscp' && /\bip\.(dscp|tos)\b/.test(text));
}
