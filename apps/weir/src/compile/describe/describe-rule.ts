import { printCounted } from '../../model/counted.ts';
import type { Action, RateLimit, Rule } from '../../model/rule.ts';

/** `allow`, `rate limit 100 packets/s (burst 20) per source`. */
export function printAction(action: Action): string {
  switch (action.kind) {
    case 'allow':
    case 'deny':
    case 'log':
      return action.kind;
    case 'reject':
      return `reject with ${action.with}`;
    case 'rate-limit':
      return printLimit('rate limit', action.limit);
    case 'police':
      return printLimit('police', action.limit);
    case 'mark':
      return `mark 0x${action.mark.toString(16)}`;
    case 'dscp':
      return `dscp ${action.dscp}`;
    case 'skip':
      return `skip to ${action.to ?? 'the default'}`;
  }
}

function printLimit(name: string, limit: RateLimit): string {
  const unit = limit.unit === 'packets' ? 'packets/s' : 'bytes/s';
  return `${name} ${limit.rate} ${unit} (burst ${limit.burst}) per ${printCounted(limit)}`;
}

/** What a rule does beside its action: `log`, `1 in 100`, `at most 5/s`, `audit`. */
export function ruleFlags({ log, sampling, audit }: Rule): readonly string[] {
  const { every, perSecond } = sampling ?? {};
  return [
    ...(log ? ['log'] : []),
    ...(every === undefined ? [] : [`1 in ${every}`]),
    ...(perSecond === undefined ? [] : [`at most ${perSecond}/s`]),
    ...(audit ? ['audit'] : []),
  ];
}

/** A rule in one line: `web#20 allow: tcp.dstport == 443`. */
export function printRule(rule: Rule): string {
  const flags = ruleFlags(rule);
  const also = flags.length > 0 ? ` (${flags.join(', ')})` : '';
  return `${ruleLabel(rule)} ${printAction(rule.action)}${also}: ${rule.text || 'everything'}`;
}

/** How verdicts name a rule: `web#20`, `<default>`. */
export function ruleLabel(rule: Rule): string {
  return rule.stage === 'policy' && rule.provenance.kind === 'file' && !rule.ref.startsWith('border:')
    ? `${rule.name}#${rule.priority}`
    : rule.name;
}
