import { type FlowRule, type FlowTreatment, flowComponent, printFlow, printFlowAction } from '@weir/bgp/flowspec';
import { printExpr } from '@weir/filter/ir';
import { printIp } from '@weir/wire/inet';
import { type ActiveFlow, FLOW_REF, type FlowConfig } from '../../model/flow.ts';
import type { Action, Rule } from '../../model/rule.ts';
import { digest } from '../nft/fingerprint.ts';
import { Unsayable } from '../refusal.ts';
import { flowExpr } from './flow-expr.ts';
import { numericSet } from './numeric-set.ts';

/** The ref of the rule behind all flow rules: where those that end their evaluation go on. */
export const FLOWS_END: string = `${FLOW_REF}end`;

/** A flow rule as rules, or why it cannot be enforced as it is meant. */
export type LoweredFlow =
  | { readonly kind: 'rules'; readonly rules: readonly Rule[] }
  | { readonly kind: 'refused'; readonly reason: string };

/** What lowering takes from the configuration. */
export type FlowOptions = Pick<FlowConfig, 'redirects' | 'firstMark' | 'sampleRate'>;

/** A rate is enforced over a tenth of a second, and at least so much may come at once. */
const BURST = { seconds: 0.1, bytes: 15_000, packets: 10 } as const;
/** Faster than any link: not limited. */
const MOST_RATE = 1e12;

const MOST_DSCP = 0x3f;
const REDIRECT_RT = 'redirect rt:';

/**
 * The rules that do what a flow rule asks for, in order: sample, redirect, the rates, then the DSCP. Each of them looks at the same packets. A flow rule never accepts: what is left goes on at the next
 * one where the rule is not terminal, or behind all of them (RFC 8955 section 7.3).
 */
export function lowerFlow(active: ActiveFlow, options: FlowOptions): LoweredFlow {
  const { rule: flow, provenance } = active;
  try {
    const expression = flowExpr(flow);
    const text = printExpr(expression);
    const rules = stepsOf(active, options).map(({ what, action, sampled }): Rule => {
      const ref = `${FLOW_REF}${flow.key}${what}`;
      const sampling = sampled ? { sampling: { perSecond: options.sampleRate } } : {};
      return {
        ref,
        name: flowRuleName(flow, what),
        stage: 'deny',
        priority: 0,
        expression,
        text,
        action,
        log: sampled === true,
        ...sampling,
        audit: false,
        provenance,
      };
    });
    return { kind: 'rules', rules };
  } catch (error) {
    if (error instanceof Unsayable) return { kind: 'refused', reason: error.message };
    throw error;
  }
}

/** nf_tables keeps a rule's name as its comment, of 127 bytes at most. */
const MOST_NAME = 127;
const DIGEST = 12;

/** What the counters of one of the rules of a flow rule are called: its text, of a long one the beginning and a digest. */
export function flowRuleName(flow: FlowRule, what: FlowStep): string {
  const name = `${printFlow(flow)}${what}`;
  return name.length <= MOST_NAME ? name : `${name.slice(0, MOST_NAME - DIGEST - 4)}... ${digest(flow.key + what).slice(0, DIGEST)}`;
}

/** What one of several rules of a flow rule does; empty for the one that ends the search. */
export const FLOW_STEPS = ['', ' sample', ' mark', ' redirect', ' bytes', ' packets'] as const;
type FlowStep = (typeof FLOW_STEPS)[number];

interface Step {
  /** Behind the key of the rule: what it does of several things. */
  readonly what: FlowStep;
  readonly action: Action;
  readonly sampled?: true;
}

function stepsOf(flow: ActiveFlow, options: FlowOptions): Step[] {
  const { rateBytes, ratePackets, sample, terminal, mark, redirect } = flow.treatment;
  if (rateBytes === 0 || ratePackets === 0) return [{ what: '', action: { kind: 'deny' }, ...(sample ? { sampled: true } : {}) }];
  const steps: Step[] = [];
  if (sample) steps.push({ what: ' sample', action: { kind: 'log' }, sampled: true });
  if (redirect) steps.push({ what: ' redirect', action: { kind: 'mark', mark: markOf(redirect, flow, options) } });
  for (const [unit, rate] of [
    ['bytes', rateBytes],
    ['packets', ratePackets],
  ] as const) {
    if (rate === undefined || rate >= MOST_RATE) continue;
    // Rates are integers here: less than one a second cannot be told from none.
    if (rate < 1) throw new Unsayable('a flow rule', `a rate of ${rate} ${unit} a second`);
    const whole = Math.floor(rate);
    const burst = Math.max(BURST[unit], Math.ceil(whole * BURST.seconds));
    steps.push({ what: ` ${unit}` as const, action: { kind: 'police', limit: { unit, rate: whole, burst, per: 'rule' } } });
  }
  // Last: what comes behind it sees the codepoint that was written.
  if (mark !== undefined) {
    if (terminal && !stillMatches(flow.rule, mark))
      throw new Unsayable('a flow rule', `marking ${mark} and the end of evaluation, for packets that are told by another DSCP`);
    steps.push({ what: ' mark', action: { kind: 'dscp', dscp: mark } });
  }
  if (terminal) steps.push({ what: '', action: { kind: 'skip', to: FLOWS_END } });
  return steps;
}

/** Whether packets of a flow rule are its packets with this codepoint too. */
function stillMatches(rule: FlowRule, dscp: number): boolean {
  const asked = flowComponent(rule, 'dscp');
  return asked === undefined || numericSet(asked.anyOf, MOST_DSCP).some(({ first, last }) => dscp >= Number(first) && dscp <= Number(last));
}

/** The mark by which the routing policy knows where packets of a redirect go. */
function markOf(
  redirect: NonNullable<FlowTreatment['redirect']>,
  { rule, path }: ActiveFlow,
  { redirects, firstMark }: FlowOptions,
): number {
  if (redirect.kind === 'ip') {
    if (redirect.copy) throw new Unsayable('a flow rule', 'a copy of packets to an address');
    if (redirect.address.family !== rule.address) throw new Unsayable('a flow rule', 'a redirect to an address of the other family');
    if (!path) throw new Unsayable('a flow rule', `a redirect to ${printIp(redirect.address)}, which has no mark`);
    return path.mark;
  }
  const index = redirectOf(redirect, redirects);
  if (index < 0) throw new Unsayable('the configuration (flowspec.redirects)', `a redirect to ${targetOf(redirect)}`);
  return firstMark + index;
}

type Redirect = Extract<NonNullable<FlowTreatment['redirect']>, { readonly kind: 'rt' }>;

/** Which entry of `redirects` a rule redirects to; -1 where there is none. */
export function redirectOf(redirect: Redirect, redirects: FlowOptions['redirects']): number {
  const target = targetOf(redirect);
  return redirects.findIndex((one) => one.target === target);
}

function targetOf(redirect: Redirect): string {
  return printFlowAction({ ...redirect, kind: 'redirect-rt' }).slice(REDIRECT_RT.length);
}
