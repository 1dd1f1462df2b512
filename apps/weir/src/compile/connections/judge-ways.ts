import type { Lists } from '@weir/filter/eval';
import type { HookRules, Rule } from '../../model/rule.ts';
import { firstPacket } from './first-packet.ts';
import { judgePartly } from './judge-partly.ts';
import type { Way } from './ways.ts';

/** What rules make of a connection: of its first packet, whichever way it took. `rule`: the first that is in doubt; undefined when that is the way itself. */
export type Fate =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'denied' }
  | { readonly kind: 'doubtful'; readonly hook: string; readonly rule: Rule | undefined };

const ALLOWED: Fate = { kind: 'allowed' };
const DENIED: Fate = { kind: 'denied' };

export function judgeWays(ways: readonly Way[], hooks: readonly HookRules[], lists: Lists): Fate {
  const fates = ways.map((way) => judgeWay(way, hooks, lists));
  const [first] = fates;
  if (!first) return ALLOWED;
  return (
    fates.find((fate) => fate.kind === 'doubtful') ??
    (fates.every((fate) => fate.kind === first.kind) ? first : { kind: 'doubtful', hook: 'routing', rule: undefined })
  );
}

/** Denied for certain at one hook is denied. */
function judgeWay(way: Way, hooks: readonly HookRules[], lists: Lists): Fate {
  let doubt: Fate | undefined;
  for (const step of way) {
    const rules = hooks.find((one) => one.hook === step.hook);
    if (!rules) continue;
    const { allow, deny, doubt: rule } = judgePartly(rules, firstPacket(step.flow, step), lists);
    if (deny && !allow) return DENIED;
    if (deny) doubt ??= { kind: 'doubtful', hook: step.hook, rule };
  }
  return doubt ?? ALLOWED;
}
