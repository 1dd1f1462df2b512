import type { FlowSummary } from '../../api/index.ts';
import { printAction } from '../../compile/describe/index.ts';
import { FLOW_REF } from '../../model/flow.ts';
import type { Rule } from '../../model/rule.ts';
import { ago } from './units.ts';

/** What a rule does, in words for flow rules where those of policies would mislead. */
export function actionText(rule: Rule): string {
  const { action, ref, stage } = rule;
  const among = ref.startsWith(FLOW_REF);
  if (among && action.kind === 'skip') return stage === 'protected' ? 'no flow rule touches it' : 'no later flow rule looks at it';
  return printAction(action);
}

/** Whether a rule stands behind the flow rules, for what they leave alone. */
export function isFlowsEnd({ ref }: Rule): boolean {
  return ref === `${FLOW_REF}end`;
}

/** Who announced a flow rule: `from core via AS 64513 with 64513:666 for 3m (stale)`. */
export function announcedBy({ peer, path_id: path, as_path: asPath, communities, since, stale }: FlowSummary, now: number): string {
  const parts = [
    `from ${peer}`,
    ...(path === undefined ? [] : [`path ${path}`]),
    ...(asPath.length === 0 ? [] : [`via AS ${asPath.join(' ')}`]),
    ...(communities.length === 0 ? [] : [`with ${communities.join(' ')}`]),
    `for ${ago(since, now)}`,
    ...(stale ? ['(stale)'] : []),
  ];
  return parts.join(' ');
}

/** What a flow rule is in force for, as it was announced. */
export function askedFor({ actions }: FlowSummary): string {
  return actions.join(', ') || 'accept';
}
