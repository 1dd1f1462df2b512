import { EBPF_HOOKS } from '../../model/ebpf.ts';
import type { Policy } from '../../model/policy.ts';
import type { Report } from '../yaml/tree.ts';
import type { BuiltRule } from './build-rule.ts';

/**
 * Hooks of eBPF programs see everything that comes, before or beside the hooks of nf_tables: rules there that only drop, with a default that drops the rest, leave nothing to be judged
 * anywhere else.
 */
export function checkDefaults(rules: readonly BuiltRule[], policy: Policy, report: Report): void {
  if (policy.defaultAudit) return;
  for (const hook of EBPF_HOOKS) {
    const here = rules.filter(({ rule }) => rule.hooks.includes(hook));
    const [first] = here;
    if (!first || (policy.defaultsAt?.[hook]?.action ?? policy.defaultAction) === 'allow') continue;
    if (here.some(({ rule, sound }) => !sound || rule.action.kind === 'allow' || rule.action.kind === 'rate-limit')) continue;
    const { table } = first;
    const place = table.get.hook.find((item) => item.value === hook)?.place ?? table.place('name');
    report(
      'W014',
      place,
      `at ${hook} nothing but the base is let through: no rule there allows, and the default action is deny`,
      `default_action_at: { ${hook}: allow } lets through what no rule denies`,
    );
  }
}
