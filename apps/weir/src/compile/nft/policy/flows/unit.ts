import type { Family } from '@weir/wire/inet';
import type { MatchProgram } from '../../../../model/match-program.ts';
import type { HookRules, Rule } from '../../../../model/rule.ts';
import { ruleFingerprint } from '../../expressions.ts';
import { digest } from '../../fingerprint.ts';
import type { ChainImage, RuleImage } from '../../image.ts';
import { ChainBook, hasRoom } from '../chains.ts';
import { type Effect, type EffectOptions, effectOf, label } from '../effect.ts';
import { Graph } from '../graph.ts';
import { withoutTransport } from '../later-fragments.ts';
import { placeInList } from '../place-in-list.ts';
import { Inexpressible, type NftProblem } from '../problem.ts';
import { Programs, type ProgramsOptions } from '../programs.ts';
import { reachable } from '../reachable.ts';
import { familyOf, prefixOf, type Side, type SidePrefix } from './prefix-of.ts';

/** Chains around a unit: of the hook, of its destination, of its source, and of a list that is arranged. */
const DEEPER = 6;

/**
 * What one flow rule comes to: a chain of its own with what it does, its counters and its limits, and the rules that lead there. So these may stand anywhere, and be moved.
 */
export interface Unit {
  readonly rules: readonly Rule[];
  readonly own: ChainImage;
  /** The rules that lead to it, for whole packets and first fragments; none where no packet meets it. */
  readonly whole: readonly RuleImage[];
  /** The same for fragments that are not the first. */
  readonly later: readonly RuleImage[];
  /** What those rules lead to besides. */
  readonly chains: readonly ChainImage[];
  /** That they ask. */
  readonly programs: readonly MatchProgram[];
  readonly family: Family | undefined;
  readonly prefix: { readonly [S in Side]: SidePrefix | undefined };
  readonly problems: readonly NftProblem[];
  /** Whether it asks for what is in a transport header. */
  readonly asksTransport: boolean;
}

export interface UnitContext {
  readonly hook: HookRules;
  readonly slug: string;
  /** Where packets go on that no later rule is to look at. */
  readonly end: string;
  readonly effects: EffectOptions;
  readonly programs: ProgramsOptions;
}

/** `rules`: what stands one after another and looks at the same packets. */
export function makeUnit(rules: readonly Rule[], context: UnitContext): Unit {
  const { slug } = context;
  const [first] = rules;
  if (!first) throw new RangeError('no rules');
  const identity = digest(first.ref).slice(0, 12);
  const { steps, ends } = stepsOf(rules, context);
  const own: ChainImage = {
    name: `${slug}_${identity}_${digest(steps.map(ruleFingerprint).join('')).slice(0, 12)}`,
    hook: undefined,
    rules: steps,
  };
  const book = new ChainBook();
  const effect: Effect = {
    tails: [{ matches: [], count: false, verdict: { kind: ends ? 'goto' : 'jump', chain: own.name } }],
    ends,
    meters: [],
  };
  const later = withoutTransport(first.expression);
  const asksTransport = later !== first.expression;
  const problems: NftProblem[] = [];
  const place = (expression: Rule['expression']): readonly RuleImage[] => {
    const graph = (): Graph => new Graph(book, `${slug}_${identity}`, label(first.name), new Programs(book, context.programs));
    try {
      const images = placeInList({ name: first.name, expression }, effect, graph);
      if (hasRoom(book.shapeOf(images), DEEPER, 1)) return images;
      throw new Inexpressible('nft-too-complex', 'expression', 'the flow rule takes more chains than nf_tables follows');
    } catch (error) {
      if (!(error instanceof Inexpressible)) throw error;
      const { code, construct, message, span } = error;
      problems.push({ code, hook: context.hook.hook, rule: first.ref, construct, message, span, provenance: first.provenance });
      return [];
    }
  };
  const whole = place(first.expression);
  const behind = asksTransport && problems.length === 0 ? place(later) : whole;
  return {
    rules,
    own,
    whole,
    later: behind,
    chains: reachable(book.chains, [], [{ rules: [...whole, ...behind] }]),
    programs: book.programs,
    family: familyOf(first.expression),
    prefix: { destination: prefixOf(first.expression, 'destination'), source: prefixOf(first.expression, 'source') },
    problems,
    asksTransport,
  };
}

/** What is done with its packets, one thing after the other. */
function stepsOf(
  rules: readonly Rule[],
  { hook, effects, end }: UnitContext,
): { readonly steps: readonly RuleImage[]; readonly ends: boolean } {
  const steps: RuleImage[] = [];
  let ends = false;
  for (const rule of rules) {
    const effect = effectOf(hook, rule, effects);
    ends = effect.ends;
    for (const tail of effect.tails) {
      const verdict = tail.verdict.kind === 'return' ? ({ kind: 'goto', chain: end } as const) : tail.verdict;
      steps.push({ ...tail, verdict, name: label(rule.name) });
    }
  }
  return { steps, ends };
}
