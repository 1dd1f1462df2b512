import { evaluate, type Lists } from '@weir/filter/eval';
import { Packet, type PacketContext } from '@weir/filter/packet';
import type { Policy, PolicyRule } from '../../model/policy.ts';
import { loadPolicy } from '../policy/load.ts';
import type { Imported } from './index.ts';

/** Loads what was imported as a policy file; throws with the diagnostics when it is not one. */
export function loadImported(imported: Imported): Policy {
  const { text, policy } = imported;
  if (text === undefined || !policy)
    throw new Error(`nothing was imported: ${JSON.stringify(imported.entries.filter((e) => e.status === 'error'))}`);
  const sets = new Map(policy.toFill.map((s) => [s.name, 'Ip' as const]));
  const files = { read: () => ({ bytes: Buffer.from(text), mode: 0o100600 }), names: () => [] };
  const loaded = loadPolicy(['policy.yaml'], files, { sets, now: 0 });
  if (!loaded.policy) throw new Error(`${JSON.stringify(loaded.diagnostics.filter((d) => d.severity === 'error'))}\n${text}`);
  return loaded.policy;
}

export type Verdict = 'accept' | 'drop' | 'reject';

/** What the rules of one hook do with a packet, in order; nothing but the policy's own rules. A hook that no rule names accepts. */
export function judgePolicy(policy: Policy, hook: string, bytes: Uint8Array, context: PacketContext, lists?: Lists): Verdict {
  const rules = policy.rules.filter((r) => r.enabled && r.hooks.some((h) => h === hook));
  if (rules.length === 0) return 'accept';
  let mark = context.mark ?? 0;
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i];
    if (!rule || !evaluate(rule.expression, Packet.fromNetwork(bytes, { ...context, mark }), lists)) continue;
    switch (rule.action.kind) {
      case 'allow':
      case 'rate-limit':
        return 'accept';
      case 'deny':
        return 'drop';
      case 'reject':
        return 'reject';
      case 'mark':
        mark = rule.action.mark;
        break;
      case 'skip':
        i = skipTo(rules, i, rule.action.to);
        break;
      case 'log':
        break;
    }
  }
  return policy.defaultAction === 'allow' ? 'accept' : 'drop';
}

/** One before the rule that is next. */
function skipTo(rules: readonly PolicyRule[], from: number, ref: string | undefined): number {
  if (ref === undefined) return rules.length;
  const at = rules.findIndex((r) => r.ref === ref);
  if (at <= from) throw new Error(`${ref} is not after the rule that skips to it`);
  return at - 1;
}
