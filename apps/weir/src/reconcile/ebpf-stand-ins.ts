import { locateRefusal } from '@weir/ebpf/asm';
import { VerifierError } from '@weir/ebpf/kernel';
import { asksState } from '../compile/ebpf/connection-state-need.ts';
import type { ClassifierOptions } from '../compile/ebpf/index.ts';
import { MissingFeatureError, type Refused, RefusedProgramError, type StandIn, type StandIns } from '../kernel/ebpf/index.ts';
import type { CompiledHook } from '../model/ebpf-program.ts';
import type { HookRules, Rule } from '../model/rule.ts';

/** Rules as the programs of every variant of their hook; undefined where programs cannot say them. */
export type CompileHook = (rules: HookRules, arrangement?: ClassifierOptions | false) => ReadonlyMap<string, CompiledHook> | undefined;

/** Rules that were in force once, with what they are called. */
export interface EarlierRules {
  readonly what: string;
  readonly rules: HookRules;
}

export interface StandInParts {
  readonly rules: HookRules;
  readonly compile: CompileHook;
  /** Rules that could not be said in programs, by their refs. */
  readonly unsayable: readonly (string | undefined)[];
  readonly earlier: readonly EarlierRules[];
}

/** From so many rules on the compiler makes tables of them. */
const LEAST_TABLES = 32;
/** One by one the verifier takes a minute for more, and refuses them. */
const MOST_IN_ORDER = 1000;
/** Each costs a load of what may be long. */
const MOST_LESSENED = 4;
/** So many rules the verifier takes at once, whatever they ask. */
const MOST_SHORTENED = 100;

/**
 * What judges at a hook whose rules the kernel refuses: the same rules arranged otherwise; rules that were in force before; the rules without those that are refused, as long as that lets through no packet that a
 * default deny would not, and denies none that a default allow would not; with a default deny the base alone.
 */
export function standIns(parts: StandInParts): StandIns {
  return (first) => candidates(parts, first);
}

function* candidates({ rules, compile, unsayable, earlier }: StandInParts, first: Refused): Generator<StandIn, void, Refused> {
  let refused = first;
  const inOrder = rules.rules.length >= LEAST_TABLES;
  const other = inOrder && rules.rules.length > MOST_IN_ORDER ? undefined : compile(rules, inOrder ? false : { from: 1 });
  if (other) {
    const what = inOrder
      ? 'the rules are judged one by one, since the kernel refuses the tables of so many'
      : 'the rules are judged by tables, since the kernel refuses them one by one';
    refused = yield { programs: other, what, lacks: false };
  }
  for (const one of earlier) {
    const programs = compile(one.rules);
    if (programs) refused = yield { programs, what: one.what, lacks: true, earlier: true };
  }
  // What the kernel says of other rules says nothing of these.
  if (earlier.length > 0) refused = first;
  let left = rules;
  let named = namedBy(left, unsayable, refused);
  for (let tries = 0; tries < MOST_LESSENED && named.size > 0; tries++) {
    const less = lessened(left, named);
    if (less.rules.length === left.rules.length || !judgesSome(less)) break;
    left = less;
    const programs = compile(left);
    if (!programs) break;
    refused = yield { programs, what: describeLess(rules, left), lacks: true };
    named = namedBy(left, [], refused);
  }
  if (defaultOf(rules) !== 'deny') return;
  const base = { ...rules, rules: rules.rules.filter(({ stage }) => stage !== 'policy' && stage !== 'deny') };
  const stateless = { ...base, rules: base.rules.filter(({ expression }) => !asksState(expression)) };
  for (const [some, what] of [
    [base, 'the base alone, and everything else is denied'],
    [stateless, 'the base without what asks for connections, and everything else is denied'],
  ] as const) {
    const programs = compile(some);
    if (programs) yield { programs, what, lacks: true };
  }
}

/** Whether anything of the policy is left: with a default allow nothing else denies. */
function judgesSome({ rules }: HookRules): boolean {
  return rules.some(({ stage }) => stage === 'policy');
}

function defaultOf({ rules }: HookRules): 'allow' | 'deny' {
  return rules.at(-1)?.action.kind === 'deny' ? 'deny' : 'allow';
}

/** The rules that a refusal is about. */
function namedBy(hook: HookRules, unsayable: readonly (string | undefined)[], { error, programs }: Refused): ReadonlySet<string> {
  const known = unsayable.filter((ref) => ref !== undefined);
  if (known.length > 0) return new Set(known);
  if (error instanceof MissingFeatureError) return new Set(hook.rules.filter(asksFeature).map(({ ref }) => ref));
  if (!(error instanceof RefusedProgramError)) return new Set();
  const compiled = programs.get(error.variant);
  const { cause } = error;
  if (!compiled || !(cause instanceof VerifierError)) return new Set();
  // It gave up somewhere: what stands there is not to blame.
  if (cause.report.limit)
    return new Set(
      policyOf(hook)
        .slice(Math.min(MOST_SHORTENED, Math.floor(policyOf(hook).length / 4)))
        .map(({ ref }) => ref),
    );
  const ref = locateRefusal(cause.report, compiled.program)?.origin?.ref;
  return new Set(ref === undefined ? [] : [ref]);
}

function policyOf({ rules }: HookRules): readonly Rule[] {
  return rules.filter(({ stage }) => stage === 'policy');
}

/** What only some kernels have: the state of connections, and buckets for addresses. */
function asksFeature({ expression, action }: Rule): boolean {
  return asksState(expression) || ((action.kind === 'rate-limit' || action.kind === 'police') && action.limit.per !== 'rule');
}

/**
 * A hook's rules without some. One whose packets the default would treat otherwise is left out alone: what it was for falls to the rules behind it, and in the end to the default. From any other on nothing is left
 * but the default.
 */
export function lessened(hook: HookRules, without: ReadonlySet<string>): HookRules {
  const opposite = defaultOf(hook) === 'deny' ? 'allow' : 'deny';
  const cut = hook.rules.findIndex(({ ref, action, stage }) => stage !== 'default' && without.has(ref) && action.kind !== opposite);
  const kept = hook.rules.filter(({ ref, stage }, i) => stage === 'default' || (!without.has(ref) && (cut < 0 || i < cut)));
  return { ...hook, rules: kept.map((rule) => redirected(rule, hook, kept)) };
}

/** A rule that goes on at one that is no longer there goes on at the first after it that is. */
function redirected(rule: Rule, hook: HookRules, kept: readonly Rule[]): Rule {
  const { action } = rule;
  if (action.kind !== 'skip' || action.to === undefined || kept.some(({ ref }) => ref === action.to)) return rule;
  const target = hook.rules.findIndex(({ ref }) => ref === action.to);
  const next = hook.rules.slice(Math.max(0, target)).find(({ ref }) => kept.some((one) => one.ref === ref));
  return { ...rule, action: { kind: 'skip', to: next?.ref } };
}

const MOST_NAMED = 3;

function describeLess({ rules: all, ...hook }: HookRules, { rules: left }: HookRules): string {
  const there = new Set(left.map(({ ref }) => ref));
  const gone = all.filter(({ ref }) => !there.has(ref)).map(({ ref }) => ref);
  const names =
    gone.length <= MOST_NAMED ? gone.join(', ') : `${gone.slice(0, MOST_NAMED).join(', ')} and ${gone.length - MOST_NAMED} more`;
  const rest =
    defaultOf({ ...hook, rules: all }) === 'deny' ? 'what only they let through is denied' : 'what only they deny is let through';
  return `the rules without ${names}, and ${rest}`;
}
