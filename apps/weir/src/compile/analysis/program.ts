import type { Expr } from '@weir/filter/ir';
import type { Hook } from '@weir/filter/scheme';
import { printCounted } from '../../model/counted.ts';
import type { HookRules, Rule } from '../../model/rule.ts';
import { asksUserProgram } from '../../model/user-program.ts';
import type { AxisSpec } from './axis.ts';
import { substituteMark, testsMark } from './mark.ts';
import { atomAxis } from './question.ts';
import { intersectRegions, type Region, regionOf, subtractRegions, TooManyBoxes, unionRegions } from './region.ts';
import { makeUniverse, type Universe } from './universe.ts';

/** Regions in both families, by the index of the universe. */
export type Regions = readonly Region[];

/** A rule of a program as a region of packets. Judging is then plain: the first step that ends and whose `matches` has the packet decides. */
export interface Step {
  readonly rule: Rule;
  readonly index: number;
  /** Packets that its expression is true of when they reach it, marks set by rules before it included. */
  readonly reach: Regions;
  /** The same without those that a `skip` before it takes past it. */
  readonly matches: Regions;
  /** It ends the judgement of what it matches. */
  readonly ends: boolean;
  /** Of a rule that ends: the same text for rules that do the same. */
  readonly outcome: string;
  /** Of a `skip`: the index of the step where it goes on. */
  readonly target: number | undefined;
  /** Why its region is not known. It has no packets then. */
  readonly unknown: string | undefined;
}

/** The rules of one hook as regions. */
export interface Program {
  readonly hook: Hook;
  readonly rules: HookRules;
  readonly universes: readonly Universe[];
  readonly steps: readonly Step[];
}

/** A step that no packet passes: what is accepted when no rule decides. */
export const END_OUTCOME = 'allow';

/** Spaces that the rules of all the programs cut, so that their regions can be compared. */
export function makeUniverses(programs: readonly HookRules[]): readonly Universe[] {
  const expressions: Expr[] = [];
  const atoms = new Map<string, AxisSpec>();
  for (const { rules } of programs) {
    const marks = marksOf(rules);
    for (const rule of rules) {
      expressions.push(rule.expression);
      if (marks.size > 0 && testsMark(rule.expression)) {
        for (const mark of marks) {
          const substituted = substituteMark(rule.expression, mark);
          if (substituted) expressions.push(substituted);
        }
      }
      if (isAuditedLimit(rule)) atoms.set(limitKey(rule), atomAxis(limitKey(rule)));
    }
  }
  return ([4, 6] as const).map((family) => makeUniverse(family, expressions, [...atoms.values()]));
}

/** The program of one hook in spaces made for it (and maybe others). */
export function makeProgram(rules: HookRules, universes: readonly Universe[]): Program {
  const steps: Step[] = [];
  const before: Before = { marks: [], skips: [], unknown: [] };
  for (const [index, rule] of rules.rules.entries()) {
    const step = makeStep(rule, index, rules.rules, before, universes);
    steps.push(step);
    if (step.unknown !== undefined) before.unknown.push(step);
    if (rule.action.kind === 'mark') before.marks.push(step);
    if (step.target !== undefined) before.skips.push(step);
  }
  return { hook: rules.hook, rules, universes, steps };
}

/** What changes how later rules see packets. */
interface Before {
  readonly marks: Step[];
  readonly skips: Step[];
  readonly unknown: Step[];
}

function makeStep(rule: Rule, index: number, rules: readonly Rule[], before: Before, universes: readonly Universe[]): Step {
  const shape = {
    rule,
    index,
    ends: endsJudgement(rule),
    outcome: outcomeOf(rule),
    target: rule.action.kind === 'skip' ? targetOf(rule.action.to, index, rules) : undefined,
  };
  const nothing: Regions = universes.map(() => []);
  if (asksUserProgram(rule.expression))
    return { ...shape, reach: nothing, matches: nothing, unknown: 'only the kernel can tell what its program says' };
  try {
    const reach = universes.map((universe, u) => reachOf(rule, universe, u, before.marks));
    const matches = reach.map((region, u) => {
      let rest = region;
      for (const skip of before.skips) {
        if (skip.target !== undefined && skip.target > index) rest = subtractRegions(rest, skip.matches[u] ?? []);
      }
      return rest;
    });
    const unknown = before.unknown.find((s) => s.unknown !== undefined && changesLater(s, index, rule));
    if (unknown) return { ...shape, reach: nothing, matches: nothing, unknown: `${unknown.rule.name} before it is not analysed` };
    return { ...shape, reach, matches, unknown: undefined };
  } catch (error) {
    if (error instanceof TooManyBoxes) return { ...shape, reach: nothing, matches: nothing, unknown: 'too many alternatives' };
    if (error instanceof UnknownMark)
      return { ...shape, reach: nothing, matches: nothing, unknown: 'it asks for a mark in a way that is not followed' };
    throw error;
  }
}

/** Whether a step whose region is not known changes what a later rule sees. */
function changesLater(step: Step, index: number, rule: Rule): boolean {
  if (step.target !== undefined) return step.target > index;
  return step.rule.action.kind === 'mark' && testsMark(rule.expression);
}

class UnknownMark extends Error {}

/** Packets that the expression is true of with the mark that they have when they come to the rule, by the packets as they were at first. */
function reachOf(rule: Rule, universe: Universe, u: number, marks: readonly Step[]): Region {
  const marking = marks.length > 0 && testsMark(rule.expression) ? marks : [];
  let whole = unlimited(rule, universe, regionOf(rule.expression, universe));
  // The last mark that a packet got counts: rules further up give way to those below.
  for (const step of marking) {
    const { action } = step.rule;
    if (action.kind !== 'mark') continue;
    const substituted = substituteMark(rule.expression, action.mark);
    if (!substituted) throw new UnknownMark();
    const marked = step.matches[u] ?? [];
    const then = unlimited(rule, universe, regionOf(substituted, universe));
    whole = unionRegions([intersectRegions(marked, then), subtractRegions(whole, marked)]);
  }
  return whole;
}

/** An audited rate limit ends only what is under the rate; whether a packet is, is a thing of its own. */
function unlimited(rule: Rule, universe: Universe, region: Region): Region {
  if (!isAuditedLimit(rule)) return region;
  const place = universe.index.get(limitKey(rule));
  const axis = place === undefined ? undefined : universe.axes[place];
  if (place === undefined || !axis) return region;
  const under = axis.segments([{ from: 1, to: 2 }]);
  return region.map((box) => box.map((runs, i) => (i === place ? under : runs)));
}

/** A rate limit in audit mode ends the judgement of what is under the rate alone. */
export function isAuditedLimit(rule: Rule): boolean {
  return rule.audit && rule.action.kind === 'rate-limit';
}

function limitKey(rule: Rule): string {
  return `under the rate of ${rule.ref}`;
}

function endsJudgement(rule: Rule): boolean {
  switch (rule.action.kind) {
    case 'allow':
    case 'rate-limit':
      return true;
    case 'deny':
    case 'reject':
      return !rule.audit;
    case 'log':
    case 'mark':
    case 'dscp':
    case 'skip':
    // What is under the rate, which is all that can be said of a packet by itself, goes on.
    case 'police':
      return false;
  }
}

/** What the packet meets: two rate limits are never the same, because each has its own bucket. */
function outcomeOf({ action, ref }: Rule): string {
  switch (action.kind) {
    case 'allow':
    case 'deny':
    case 'log':
      return action.kind;
    case 'reject':
      return `reject ${action.with}`;
    case 'rate-limit':
    case 'police':
      return `${action.kind} ${ref} ${action.limit.unit} ${action.limit.rate} ${action.limit.burst} ${printCounted(action.limit)}`;
    case 'mark':
      return `mark ${action.mark}`;
    case 'dscp':
      return `dscp ${action.dscp}`;
    case 'skip':
      return `skip ${action.to ?? ''}`;
  }
}

function targetOf(to: string | undefined, index: number, rules: readonly Rule[]): number {
  const ref = to ?? rules.find((rule) => rule.stage === 'default')?.ref;
  const found = rules.findIndex((rule, i) => i > index && rule.ref === ref);
  return found < 0 ? rules.length : found;
}

function marksOf(rules: readonly Rule[]): ReadonlySet<number> {
  return new Set(rules.flatMap((rule) => (rule.action.kind === 'mark' ? [rule.action.mark] : [])));
}
