import { judgement } from '../../compile/judgement/index.ts';
import { compileRules } from '../../compile/nft/policy/index.ts';
import type { Config } from '../../model/config.ts';
import type { Diagnostic } from '../../model/diagnostic.ts';

/** What nf_tables cannot do as a configuration means it, each at the rule that asks for it. */
export function checkEnforceable(config: Config, now: number): readonly Diagnostic[] {
  if (!config.policy) return [];
  const { problems } = compileRules(judgement(config, now), config.sets, { table: 'weir' });
  const { defaultSpan } = config.policy;
  return problems.flatMap(({ provenance, message }): Diagnostic[] => {
    const span = provenance?.kind === 'file' ? provenance.span : defaultSpan;
    return span ? [{ severity: 'error', code: 'E045', message, span }] : [];
  });
}
