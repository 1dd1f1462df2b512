import { printAction } from '../../compile/describe/index.ts';
import type { Rule } from '../../model/rule.ts';

/** Where a rule is written: `policy.yaml:12`; undefined for those that no file has. */
export function rulePlace({ provenance }: Rule): string | undefined {
  return provenance.kind === 'file' ? `${provenance.span.file}:${provenance.span.line}` : undefined;
}

/** A rule in the output of commands. */
export function ruleJson(rule: Rule): Record<string, unknown> {
  return {
    ref: rule.ref,
    name: rule.name,
    stage: rule.stage,
    priority: rule.priority,
    action: printAction(rule.action),
    expression: rule.text,
    source: rulePlace(rule),
  };
}
