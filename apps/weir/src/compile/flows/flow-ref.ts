import { FLOW_REF } from '../../model/flow.ts';
import type { Rule } from '../../model/rule.ts';
import { FLOW_STEPS } from './lower-flow.ts';

/** One of the rules that a flow rule came to. */
export interface FlowStepRef {
  /** Names the flow rule. */
  readonly key: string;
  /** What this rule does of several things: `sample`, `mark`; empty for the one that ends the search. */
  readonly step: string;
}

/** What a rule is of a flow rule; undefined where it is of none, as what protects from them is. */
export function flowStepOf({ ref, stage, provenance }: Rule): FlowStepRef | undefined {
  if (stage !== 'deny' || provenance.kind === 'builtin' || !ref.startsWith(FLOW_REF)) return undefined;
  const step = FLOW_STEPS.find((one) => one !== '' && ref.endsWith(one)) ?? '';
  return { key: ref.slice(FLOW_REF.length, ref.length - step.length), step: step.trim() };
}
