import type { Rule } from '@weir/netlink/nftables';
import type { RuleInfo } from '../backend.ts';
import { RuleMark } from './rule-mark.ts';

export function ruleInfo(rule: Rule): RuleInfo {
  const counter = rule.expressions.find((e) => e.kind === 'counter');
  return {
    handle: rule.handle ?? 0n,
    ...RuleMark.read(rule),
    counts: counter !== undefined,
    packets: counter?.kind === 'counter' ? Number(counter.packets) : 0,
    bytes: counter?.kind === 'counter' ? Number(counter.bytes) : 0,
  };
}

export function byChain(rules: readonly Rule[]): ReadonlyMap<string, readonly Rule[]> {
  const out = new Map<string, Rule[]>();
  for (const rule of rules) {
    const list = out.get(rule.chain);
    if (list) list.push(rule);
    else out.set(rule.chain, [rule]);
  }
  return out;
}
