import type { HookRules } from '../../model/rule.ts';

/** How the verdicts of two programs differ, as packets. `notes` say what could not be compared. */
export interface Behaviour {
  readonly lines: readonly string[];
  readonly notes: readonly string[];
}

/** At most `limit` packets whose verdict is another, one for each pair of deciding rules. */
export function behaviourChanges(before: readonly HookRules[], after: readonly HookRules[], limit: number): Behaviour {
  return { lines: [], notes: [] };
}
