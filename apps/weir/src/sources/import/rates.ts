import { type Conjunction, covers, disjoint } from './conjunction.ts';
import type { FlatAction, FlatItem, FlatRule, Label } from './flatten.ts';
import type { Limit } from './program.ts';
import { type Entry, note } from './report.ts';

/**
 * Rates of the original are conditions: what is under the rate matches, and what is not goes on to the rules that follow. A policy has an action: under the
 * rate a packet is allowed, over it denied, and both end. The two are the same where what follows decides the other half; elsewhere the entry says what differs.
 * Gives the items with no `limit` left.
 */
export function settleRates(items: readonly FlatItem[]): readonly FlatItem[] {
  const at = new Map<Label, number>();
  items.forEach((item, i) => {
    if (item.kind === 'label') at.set(item, i);
  });
  return items.flatMap((item, i): readonly FlatItem[] => {
    if (item.kind === 'label' || item.limit === undefined) return [item];
    const action = settle(item, item.limit, () => decidedBy(items, i, item.match, at));
    return action ? [{ ...item, action, limit: undefined }] : [];
  });
}

type Next = 'allow' | 'deny' | 'reject' | 'unknown';

/** The action that takes the place of a rule with a rate; undefined where there is none. */
function settle(rule: FlatRule, limit: Limit, next: () => Next): FlatAction | undefined {
  const entry = rule.entries.at(-1);
  const say = (text: string, status: 'approximated' | 'unsupported'): undefined => {
    if (entry) note(entry, text, status);
  };
  switch (rule.action.kind) {
    case 'log':
      say('logs each packet: the rate of the log is left out', 'approximated');
      return rule.action;
    case 'allow': {
      if (limit.over) return say('accepts what is over a rate; a policy has no such thing', 'unsupported');
      const after = next();
      if (after === 'reject') say('what is over the rate is dropped without an answer', 'approximated');
      else if (after !== 'deny') say('what is over the rate is denied here, and not judged by the rules that follow', 'approximated');
      return { kind: 'rate-limit', limit: round(limit, entry) };
    }
    case 'deny':
    case 'reject':
      if (!limit.over) return say('drops only what is under a rate; a policy has no such thing', 'unsupported');
      if (next() !== 'allow')
        return say('what is under the rate is judged by the rules that follow; a rate limit of a policy would allow it', 'unsupported');
      if (rule.action.kind === 'reject') say('what is over the rate is dropped without an answer', 'approximated');
      return { kind: 'rate-limit', limit: round(limit, entry) };
    default:
      return say('a rate here decides which rules are looked at next; a policy has no such thing', 'unsupported');
  }
}

/** Rates of a policy are whole numbers a second. */
function round(limit: Limit, entry: Entry | undefined): Limit {
  const rate = Math.max(1, Math.round(limit.rate));
  if (rate !== limit.rate && entry) {
    note(
      entry,
      `the rate is ${rate} a second (the original's is ${Number(limit.rate.toPrecision(3))}): rates of a policy are whole numbers a second`,
      'approximated',
    );
  }
  return { ...limit, rate, burst: Math.max(1, Math.round(limit.burst)) };
}

/** What decides packets that match, from the rule after `i` on. */
function decidedBy(items: readonly FlatItem[], i: number, match: Conjunction, labels: ReadonlyMap<Label, number>): Next {
  for (let j = i + 1; j < items.length; j++) {
    const item = items[j];
    if (!item || item.kind === 'label' || disjoint(item.match, match)) continue;
    const { action } = item;
    if (action.kind === 'log' && item.limit === undefined) continue;
    if (item.limit !== undefined || !covers(item.match, match)) return 'unknown';
    if (action.kind === 'allow' || action.kind === 'deny' || action.kind === 'reject') return action.kind;
    // Skips lead on, never back.
    const target = action.kind === 'skip' ? labels.get(action.to) : undefined;
    if (target === undefined || target <= j) return 'unknown';
    j = target;
  }
  return 'unknown';
}
