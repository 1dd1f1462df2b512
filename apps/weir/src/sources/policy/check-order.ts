import type { Hook } from '@weir/filter/scheme';
import type { PolicyRule } from '../../model/policy.ts';
import { suggest } from '../yaml/suggest.ts';
import type { Report } from '../yaml/tree.ts';
import type { BuiltRule } from './build-rule.ts';
import { covered } from './covered.ts';

/** What can only be seen by looking at the rules of a hook in their order: rules to skip to, and rules that no packet reaches. `refs` are those of all rules, of those with mistakes too. */
export function checkOrder(rules: readonly BuiltRule[], refs: ReadonlySet<string>, report: Report): void {
  const hooks = new Set(rules.flatMap((built) => built.rule.hooks));
  const positions = new Map(rules.map((built, i) => [built.rule.ref, i]));
  for (const [i, built] of rules.entries()) checkSkip(built, i, positions, refs, rules, report);
  /** For each rule the hooks at which it is covered, and by which rule first. */
  const found = new Map<BuiltRule, { hooks: number; by: PolicyRule }>();
  for (const hook of hooks) {
    const here = rules.filter((built) => built.sound && built.rule.hooks.includes(hook));
    for (const [i, by] of covered(here.map((built) => built.rule))) {
      const built = here[i];
      if (!built) continue;
      const before = found.get(built);
      found.set(built, { hooks: (before?.hooks ?? 0) + 1, by: before?.by ?? by });
    }
  }
  for (const [{ rule, table }, { hooks: count, by }] of found) {
    if (count < rule.hooks.length) continue;
    const place = table.place('name');
    const where = by.span.file === rule.span.file ? `on line ${by.span.line}` : `at ${by.span.file}:${by.span.line}`;
    report('W006', place, `no packet reaches this rule: ${by.name} ${where} takes all that it would take`);
  }
}

/** `skip_to` names a rule that is judged later at every hook of the rule. */
function checkSkip(
  { rule, table }: BuiltRule,
  position: number,
  positions: ReadonlyMap<string, number>,
  refs: ReadonlySet<string>,
  rules: readonly BuiltRule[],
  report: Report,
): void {
  if (rule.action.kind !== 'skip' || rule.action.to === undefined) return;
  const { to } = rule.action;
  const place = table.place('skip_to');
  const at = positions.get(to);
  const target = at === undefined ? undefined : rules[at]?.rule;
  if (at === undefined || !target) {
    if (refs.has(to)) return;
    const near = suggest(to, refs);
    report('E038', place, `no rule has the ref ${to}`, near === undefined ? undefined : `did you mean ${near}?`);
  } else if (at <= position) {
    report(
      'E038',
      place,
      at === position ? 'a rule cannot skip to itself' : `${to} is judged before this rule`,
      'skip to a rule that is judged later',
    );
  } else {
    const absent: Hook | undefined = rule.hooks.find((hook) => !target.hooks.includes(hook));
    if (absent !== undefined) report('E038', place, `${to} does not judge at the hook ${absent}, as this rule does`);
  }
}
