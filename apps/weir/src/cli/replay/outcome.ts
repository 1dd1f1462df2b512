import type { ConnectionState } from '@weir/filter/packet';
import type { Verdict } from '../../compile/interpreter/index.ts';
import type { Rule } from '../../model/rule.ts';
import type { NotJudged } from './at-hook.ts';

/** What an engine says of one packet. */
export type Outcome = Judged | NotJudged;

export interface Judged {
  readonly kind: 'judged';
  readonly verdict: Verdict;
  /** The rule that decided; undefined when none did. */
  readonly rule: Rule | undefined;
  /** Of its connection; undefined where no rule asks for it. */
  readonly state: ConnectionState | undefined;
}

export function sameOutcome(one: Outcome, other: Outcome): boolean {
  if (one.kind === 'not-judged' || other.kind === 'not-judged') return one.kind === other.kind;
  return one.verdict === other.verdict && one.rule?.ref === other.rule?.ref;
}
