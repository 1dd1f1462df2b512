import type { IrSpan } from '@weir/filter/ir';
import { compileEbpf, type Variant, variantsOf } from '../../compile/ebpf/index.ts';
import { programKeys } from '../../compile/ebpf/program-key.ts';
import { type JudgementSource, judgement, netfilterHooks } from '../../compile/judgement/index.ts';
import { checkRules } from '../../compile/nft/policy/index.ts';
import type { Refusal } from '../../compile/refusal.ts';
import type { Diagnostic } from '../../model/diagnostic.ts';
import { type EbpfConfig, isEbpfHook } from '../../model/ebpf.ts';
import type { SourceSpan } from '../../model/provenance.ts';
import type { HookRules } from '../../model/rule.ts';

/** Where a stretch of the expression of a rule, called by its ref, is written. */
export type LocateExpression = (ref: string, span: IrSpan) => SourceSpan | undefined;

/**
 * What nf_tables, or the programs of an eBPF hook, cannot do as a policy means it: each at the part of the expression that asks for it where `locate` knows it, else at the rule.
 */
export function checkEnforceable(
  source: JudgementSource & { readonly ebpf: EbpfConfig },
  now: number,
  locate: LocateExpression,
): readonly Diagnostic[] {
  if (!source.policy) return [];
  const hooks = judgement(source, now);
  const found = new Map<string, Diagnostic>();
  const add = (code: 'E045' | 'E050', problems: readonly Refusal[]): void => {
    for (const { rule, provenance, message, span: within } of problems) {
      const written = rule !== undefined && within ? locate(rule, within) : undefined;
      const span = written ?? (provenance?.kind === 'file' ? provenance.span : source.policy?.defaultSpan);
      // A rule of several hooks has the problem at each.
      if (span) found.set(`${span.file}:${span.line}:${span.column} ${message}`, { severity: 'error', code, message, span });
    }
  };
  add('E045', checkRules(netfilterHooks(hooks), source.sets, { table: 'weir' }));
  const variants = variantsOf(source.ebpf);
  for (const hook of hooks) if (isEbpfHook(hook.hook)) add('E050', checkPrograms(hook, variants));
  return [...found.values()];
}

function checkPrograms(hook: HookRules, variants: readonly Variant[]): readonly Refusal[] {
  const key = programKeys(hook);
  const own = variants.filter((variant) => variant.hook === hook.hook);
  const distinct = new Map(own.map((variant) => [key(variant), variant]));
  return [...distinct.values()].flatMap(({ place, known }) => {
    const result = compileEbpf(hook, { place, known });
    return 'refusals' in result ? result.refusals : [];
  });
}
