import { difference } from '../../compile/analysis/index.ts';
import type { HookRules } from '../../model/rule.ts';

/** How the verdicts of two programs differ, as packets. `notes` say what could not be compared. */
export interface Behaviour {
  readonly lines: readonly string[];
  readonly notes: readonly string[];
}

/** Reasons that are written out; there may be one for each pair of rules. */
const MAX_NOTES = 5;

/** At most `limit` packets whose verdict is another, one for each pair of deciding rules. A hook that only one of them has lets everything through in the other. */
export function behaviourChanges(before: readonly HookRules[], after: readonly HookRules[], limit: number): Behaviour {
  const lines: string[] = [];
  const notes: string[] = [];
  for (const hook of new Set([...before, ...after].map((one) => one.hook))) {
    const was = before.find((one) => one.hook === hook);
    const willBe = after.find((one) => one.hook === hook);
    const either = was ?? willBe;
    if (!either) continue;
    const nothing: HookRules = { ...either, rules: [] };
    const { changes, more, notAnalysed } = difference(was ?? nothing, willBe ?? nothing, limit - lines.length);
    lines.push(...changes.map((change) => `${hook} ${change.text}`));
    if (more) notes.push(`${hook}: there are more; --limit shows them`);
    for (const { before: b, after: a, reason } of notAnalysed.slice(0, MAX_NOTES))
      notes.push(`${hook}: not compared: ${[b, a].flatMap((mark) => (mark ? [mark.name] : [])).join(' with ')}: ${reason}`);
    if (notAnalysed.length > MAX_NOTES) notes.push(`${hook}: ${notAnalysed.length - MAX_NOTES} more pairs of rules were not compared`);
  }
  return { lines, notes };
}
