import type { Hook } from '@weir/filter/scheme';
import type { SourceSpan } from '../../model/provenance.ts';
import type { Rule, Stage } from '../../model/rule.ts';
import type { Witness } from './witness.ts';

export type FindingKind = 'shadowed' | 'never-matches' | 'conflict' | 'redundant' | 'mergeable' | 'aggregate';

/** Stable codes of findings, and what they mean. */
export const FINDING_CODES: Readonly<Record<FindingKind, { readonly code: string; readonly summary: string }>> = {
  shadowed: { code: 'A001', summary: 'every packet that the rule matches is decided by rules before it' },
  'never-matches': { code: 'A002', summary: 'no packet can match the rule' },
  conflict: { code: 'A003', summary: 'two rules with different actions match some packets together, so their order decides' },
  redundant: { code: 'A004', summary: 'the rules after it do the same with every packet that it decides' },
  mergeable: { code: 'A005', summary: 'two rules next to each other differ in one field and could be one' },
  aggregate: { code: 'A006', summary: 'fewer prefixes say the same' },
};

/** A rule as a finding names it. */
export interface RuleMark {
  readonly ref: string;
  readonly name: string;
  readonly priority: number;
  readonly stage: Stage;
  readonly action: string;
  /** Undefined for rules that no file has. */
  readonly span: SourceSpan | undefined;
}

export interface Finding {
  readonly kind: FindingKind;
  readonly code: string;
  /** Hooks at which it was found. */
  readonly hooks: readonly Hook[];
  /** What the finding is about. */
  readonly rule: RuleMark;
  /** Rules that it has to do with, in the order of judgement: those that shadow it, the other of a pair, those that do the same. At most MOST_OTHERS. */
  readonly others: readonly RuleMark[];
  readonly message: string;
  /** Undefined where there can be none: no packet matches. */
  readonly witness: Witness | undefined;
}

/** A rule that could not be analysed, as a whole or for one kind of finding. */
export interface NotAnalysed {
  readonly hook: Hook;
  readonly rule: RuleMark;
  /** Undefined: nothing was found out about it. */
  readonly kind: FindingKind | undefined;
  readonly reason: string;
}

export const MOST_OTHERS = 16;

export function markOf(rule: Rule): RuleMark {
  const { provenance } = rule;
  return {
    ref: rule.ref,
    name: rule.name,
    priority: rule.priority,
    stage: rule.stage,
    action: rule.action.kind,
    span: provenance.kind === 'file' ? provenance.span : undefined,
  };
}

/** `web (policy.yaml:12)`. */
export function nameOf(mark: RuleMark): string {
  if (mark.stage === 'default') return 'the default';
  return mark.span === undefined ? mark.name : `${mark.name} (${mark.span.file}:${mark.span.line})`;
}

/** Names in a row: `a, b and 3 more`. */
export function namesOf(marks: readonly RuleMark[], count: number = marks.length, most: number = 3): string {
  const named = marks.slice(0, most).map(nameOf);
  if (count > named.length) return `${named.join(', ')} and ${count - named.length} more`;
  const last = named.pop();
  return named.length === 0 ? (last ?? '') : `${named.join(', ')} and ${last ?? ''}`;
}
