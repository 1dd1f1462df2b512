import type { Hook } from '@weir/filter/scheme';
import type { HookRules, Rule } from '../../model/rule.ts';
import { printAction } from '../describe/describe-rule.ts';

/** One rule of a hook that two programs do not have alike. */
export interface RuleChange {
  readonly kind: 'added' | 'removed' | 'changed' | 'moved';
  readonly hook: Hook;
  readonly before: Rule | undefined;
  readonly after: Rule | undefined;
  /** What is other than before, for `changed`: `action allow -> deny`. */
  readonly what: readonly string[];
}

/** Rules by hook and ref: what is new, gone, other than before, or in another place among those that both have. In the order of `after`; what is gone comes last. */
export function ruleChanges(before: readonly HookRules[], after: readonly HookRules[]): RuleChange[] {
  const hooks = [...new Set([...after, ...before].map((one) => one.hook))];
  return hooks.flatMap((hook) => hookChanges(hook, rulesAt(before, hook), rulesAt(after, hook)));
}

function rulesAt(hooks: readonly HookRules[], hook: Hook): readonly Rule[] {
  return hooks.find((one) => one.hook === hook)?.rules ?? [];
}

function hookChanges(hook: Hook, before: readonly Rule[], after: readonly Rule[]): RuleChange[] {
  const old = new Map(before.map((rule) => [rule.ref, rule]));
  const now = new Map(after.map((rule) => [rule.ref, rule]));
  const moved = movedRefs(
    before.filter((rule) => now.has(rule.ref)),
    after.filter((rule) => old.has(rule.ref)),
  );
  const out: RuleChange[] = [];
  for (const rule of after) {
    const was = old.get(rule.ref);
    if (!was) {
      out.push({ kind: 'added', hook, before: undefined, after: rule, what: [] });
      continue;
    }
    const what = differences(was, rule);
    if (what.length > 0) out.push({ kind: 'changed', hook, before: was, after: rule, what });
    else if (moved.has(rule.ref)) out.push({ kind: 'moved', hook, before: was, after: rule, what });
  }
  for (const rule of before) if (!now.has(rule.ref)) out.push({ kind: 'removed', hook, before: rule, after: undefined, what: [] });
  return out;
}

function differences(before: Rule, after: Rule): string[] {
  const out: string[] = [];
  if (before.text !== after.text) out.push(`expression ${before.text || 'everything'} -> ${after.text || 'everything'}`);
  const [was, is] = [printAction(before.action), printAction(after.action)];
  if (was !== is) out.push(`action ${was} -> ${is}`);
  if (before.name !== after.name) out.push(`name ${before.name} -> ${after.name}`);
  if (before.priority !== after.priority) out.push(`priority ${before.priority} -> ${after.priority}`);
  if (before.log !== after.log) out.push(after.log ? 'logs' : 'logs no more');
  if (before.log === after.log && printSampling(before) !== printSampling(after)) out.push(`logs ${printSampling(after)}`);
  if (before.audit !== after.audit) out.push(after.audit ? 'only audits' : 'is enforced');
  return out;
}

function printSampling({ sampling }: Rule): string {
  const { every, perSecond } = sampling ?? {};
  return [
    `${every === undefined ? 'every packet' : `one packet in ${every}`}`,
    ...(perSecond === undefined ? [] : [`at most ${perSecond}/s`]),
  ].join(', ');
}

/** Of two orders of the same refs the fewest that have to move: those outside a longest common subsequence. */
function movedRefs(before: readonly Rule[], after: readonly Rule[]): ReadonlySet<string> {
  const place = new Map(before.map((rule, i) => [rule.ref, i]));
  // Longest increasing subsequence of the old places, by patience sorting.
  const tails: number[] = [];
  const places = after.map((rule) => place.get(rule.ref) ?? 0);
  const previous = new Int32Array(places.length).fill(-1);
  for (let i = 0; i < places.length; i++) {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((places[tails[middle] ?? 0] ?? 0) < (places[i] ?? 0)) low = middle + 1;
      else high = middle;
    }
    previous[i] = low > 0 ? (tails[low - 1] ?? -1) : -1;
    tails[low] = i;
  }
  const stay = new Set<number>();
  for (let i = tails.at(-1) ?? -1; i >= 0; i = previous[i] ?? -1) stay.add(i);
  return new Set(after.filter((_, i) => !stay.has(i)).map((rule) => rule.ref));
}
