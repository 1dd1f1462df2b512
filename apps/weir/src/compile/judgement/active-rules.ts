import type { Policy, PolicyRule } from '../../model/policy.ts';

/** Whether a rule is enforced at `now` (milliseconds since the epoch): enabled, and its time not over. */
export function isActive({ enabled, until }: PolicyRule, now: number): boolean {
  return enabled && (until === undefined || now < until);
}

/** When the next rule ends after `now`; undefined when none does. */
export function nextExpiry(policy: Policy, now: number): number | undefined {
  let next: number | undefined;
  for (const { enabled, until } of policy.rules) {
    if (enabled && until !== undefined && until > now && (next === undefined || until < next)) next = until;
  }
  return next;
}
