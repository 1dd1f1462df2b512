import { type JudgementSource, judgement } from '../../compile/judgement/index.ts';
import { checkRules } from '../../compile/nft/policy/index.ts';
import type { Diagnostic } from '../../model/diagnostic.ts';

/** What nf_tables cannot do as a policy means it, each at the rule that asks for it. */
export function checkEnforceable(source: JudgementSource, now: number): readonly Diagnostic[] {
  if (!source.policy) return [];
  const problems = checkRules(judgement(source, now), source.sets, { table: 'weir' });
  const { defaultSpan } = source.policy;
  const found = new Map<string, Diagnostic>();
  for (const { provenance, message } of problems) {
    const span = provenance?.kind === 'file' ? provenance.span : defaultSpan;
    // A rule of several hooks has the problem at each.
    if (span) found.set(`${span.file}:${span.line}:${span.column} ${message}`, { severity: 'error', code: 'E045', message, span });
  }
  return [...found.values()];
}
