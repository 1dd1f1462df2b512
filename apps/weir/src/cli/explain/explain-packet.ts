import { type Lists, printSaw, type Trace, trace } from '@weir/filter/eval';
import { printExpr } from '@weir/filter/ir';
import type { Packet } from '@weir/filter/packet';
import type { Hook } from '@weir/filter/scheme';
import { type Judgement, judge } from '../../compile/interpreter/index.ts';
import type { HookRules, Rule } from '../../model/rule.ts';

/** Characters of a test that are shown of it: a set may be long. */
const MAX_ASKED = 80;

/** A rule that was looked at, and why it did or did not match. */
export interface Considered {
  readonly rule: Rule;
  readonly matches: boolean;
  /** The literals that decided: `tcp.dstport is 22`, with the test they passed or failed. */
  readonly why: readonly string[];
  readonly trace: Trace;
}

/** One hook that a packet crosses. */
export interface HookExplanation {
  readonly hook: Hook;
  readonly judgement: Judgement;
  readonly considered: readonly Considered[];
}

/** Judges a packet at each hook in turn, until one of them drops it. The mark that one hook's rules set is what the next one sees. */
export function explainPacket(hooks: readonly HookRules[], packet: Packet, lists: Lists): readonly HookExplanation[] {
  const out: HookExplanation[] = [];
  let mark: number | undefined;
  for (const rules of hooks) {
    const considered: Considered[] = [];
    const judgement = judge(rules, packet, {
      lists,
      mark,
      visit: (rule, matches, subject) => {
        const found = trace(rule.expression, subject, lists);
        considered.push({ rule, matches, trace: found, why: found.because.map(describeStep) });
      },
    });
    mark = judgement.mark;
    out.push({ hook: rules.hook, judgement, considered });
    if (judgement.verdict !== 'allow') break;
  }
  return out;
}

/** What a literal saw; and of one that failed what it asked for. */
export function describeStep(step: Trace['because'][number]): string {
  const { test } = step.literal;
  const saw = test.kind === 'list' ? `${printSaw(step)}, ${step.passed ? 'a member' : 'no member'} of $${test.list}` : printSaw(step);
  if (step.holds || test.kind === 'list' || test.kind === 'flag') return saw;
  const asked = printExpr(step.literal);
  return `${saw}, not ${asked.length > MAX_ASKED ? `${asked.slice(0, MAX_ASKED)}...` : asked}`;
}

/**
 * The ways of a packet through the hooks: with both interfaces it is forwarded, with one it comes in or goes out; with none each hook is a way of its own. Hooks
 * without rules are left out.
 */
export function waysThrough(
  hooks: readonly HookRules[],
  context: { readonly iif?: string | undefined; readonly oif?: string | undefined },
): readonly (readonly HookRules[])[] {
  const { iif, oif } = context;
  const ways: readonly (readonly Hook[])[] =
    iif !== undefined && oif !== undefined
      ? [['prerouting', 'forward']]
      : iif !== undefined
        ? [['prerouting', 'input']]
        : oif !== undefined
          ? [['output']]
          : [['prerouting'], ['input'], ['forward'], ['output']];
  return ways.map((way) => way.flatMap((hook) => hooks.filter((one) => one.hook === hook))).filter((way) => way.length > 0);
}
