import type { Label } from '@weir/ebpf/asm';
import type { MapNeed, Place } from '../../model/ebpf-program.ts';
import type { Rule } from '../../model/rule.ts';
import type { ExpressionContext } from './expression.ts';
import type { RuleAssembler } from './layout.ts';

/** At a verdict: the number of the rule that decided, from 1; 0 when none did. TRANSPORT_AT is no longer needed there. */
export const RULE = 'r9';

/** Where judging ends. */
export interface Verdicts {
  readonly allow: Label;
  readonly deny: Label;
}

/** What the rules of a program are written with. */
export interface JudgeContext extends Omit<ExpressionContext, 'asm' | 'depth'> {
  readonly place: Place;
  /** The function `act`, which is written because it is asked for. */
  readonly act: () => Label;
  /** Adds a map that the program needs, once, and gives its symbol. */
  readonly need: (need: MapNeed) => string;
  /** Writes what belongs to a rule; what cannot be said becomes a refusal of it. */
  readonly attempt: (asm: RuleAssembler, rule: Rule, write: () => void) => void;
}
