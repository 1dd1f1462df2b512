import type { Lists } from '@weir/filter/eval';
import type { HookRules, Rule } from '../../model/rule.ts';
import { defaultRef } from '../interpreter/index.ts';
import { evaluatePartly, type PartialPacket } from './partial.ts';

/** How the judgement of a packet of which not everything is known can end. */
export interface Outcomes {
  readonly allow: boolean;
  readonly deny: boolean;
  /** The first rule that is in doubt. */
  readonly doubt: Rule | undefined;
}

/** As `judge`, along every way that the packet can take through the rules. A packet is taken to be under every limit. */
export function judgePartly(hook: HookRules, packet: PartialPacket, lists: Lists): Outcomes {
  let [allow, deny] = [false, false];
  let doubt: Rule | undefined;
  // Whether the packet can come to the rule behind the last one, and rules that it can be on its way to.
  let here = true;
  const ahead = new Set<string | undefined>();
  for (const rule of hook.rules) {
    if (!ahead.delete(rule.ref) && !here) continue;
    here = true;
    const matches = evaluatePartly(rule.expression, packet, lists);
    if (matches === false) continue;
    if (matches === undefined) doubt ??= rule;
    const { action, audit } = rule;
    if (action.kind === 'log' || action.kind === 'mark') continue;
    if ((action.kind === 'deny' || action.kind === 'reject') && audit) continue;
    here = matches === undefined;
    if (action.kind === 'skip') ahead.add(action.to ?? defaultRef(hook));
    else if (action.kind === 'deny' || action.kind === 'reject') deny = true;
    else allow = true;
    if ((allow && deny) || (!here && ahead.size === 0)) break;
  }
  // Whom no rule decides about is let through.
  return { allow: allow || here || ahead.size > 0, deny, doubt };
}
