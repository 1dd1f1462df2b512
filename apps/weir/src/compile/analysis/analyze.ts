import type { Expr } from '@weir/filter/ir';
import type { HookRules, Rule } from '../../model/rule.ts';
import { aggregates, type CidrList } from './aggregate.ts';
import {
  FINDING_CODES,
  type Finding,
  type FindingKind,
  MOST_OTHERS,
  markOf,
  type NotAnalysed,
  nameOf,
  namesOf,
  type RuleMark,
} from './finding.ts';
import { type Insight, Inspector, type Place } from './inspect.ts';
import { mergeable } from './mergeable.ts';
import { chance, possible } from './possible.ts';
import { makeProgram, makeUniverses, type Program, type Step } from './program.ts';
import { type Candidate, judgeCandidate, matchesCandidate, proved, type Witness } from './witness.ts';

export interface AnalyzeOptions {
  /** The prefixes that rules were written with: the typed form no longer tells two neighbours from the whole that they are. */
  readonly cidrs?: readonly CidrList[] | undefined;
}

export interface Analysis {
  readonly findings: readonly Finding[];
  readonly notAnalysed: readonly NotAnalysed[];
  /** Rules that were looked at, over all hooks. */
  readonly rules: number;
}

/**
 * Finds rules that do nothing or not what they seem to. Every finding about packets is exact for all packets that can exist, and its witness has been built
 * and judged by the interpreter; what cannot be decided within a bounded amount of work, or proved by a packet, is listed as not analysed. Tests that are
 * not taken apart (payloads, regular expressions, named sets) count as true or false at will, so what is found holds whatever they are.
 *
 * Only rules of the policy are judged; those around them (the base, deny sets, the default) are taken into account.
 */
export function analyze(hooks: readonly HookRules[], options: AnalyzeOptions = {}): Analysis {
  const findings: Finding[] = [];
  const notAnalysed: NotAnalysed[] = [];
  let rules = 0;
  for (const hook of hooks) {
    const program = makeProgram(hook, makeUniverses([hook]));
    const report = new Report(program);
    rules += report.run();
    findings.push(...report.findings);
    notAnalysed.push(...report.notAnalysed);
  }
  findings.push(...aggregates(options.cidrs ?? []));
  return { findings: byPlace(overHooks(findings)), notAnalysed, rules };
}

const NEVER: Expr = { kind: 'constant', value: false };

/** A list is long from so many rules on; so many witnesses are judged by all of them even then. */
const MANY_RULES = 256;
const FULL_JUDGEMENTS = 256;

/** Findings about one hook. */
class Report {
  readonly findings: Finding[] = [];
  readonly notAnalysed: NotAnalysed[] = [];
  readonly #program: Program;
  readonly #inspector: Inspector;
  /** Rules where a skip goes on. */
  readonly #targets: readonly number[];
  #judged = 0;

  constructor(program: Program) {
    this.#program = program;
    this.#inspector = new Inspector(program);
    this.#targets = program.steps.flatMap((step) =>
      step.target === undefined || step.target >= program.steps.length ? [] : [step.target],
    );
  }

  run(): number {
    const subjects = this.#program.steps.filter((step) => step.rule.stage === 'policy');
    const idle = new Set<number>();
    for (const step of subjects) {
      if (step.unknown !== undefined) {
        this.#miss(step.rule, undefined, step.unknown);
        continue;
      }
      const insight = this.#inspector.inspect(step);
      for (const { kind, reason } of insight.notKnown) this.#miss(step.rule, kind === 'shadowed' ? undefined : kind, reason);
      if (this.#tell(insight)) idle.add(step.index);
    }
    for (const pair of mergeable(this.#program, idle)) {
      const { first, second, message } = pair;
      const place = this.#inspector.outside(second, first);
      const { rules } = this.#program;
      const onlySecond = (one: Candidate): boolean =>
        matchesCandidate(rules, second.rule, one) && !matchesCandidate(rules, first.rule, one);
      const witness = place && this.#proved(place, onlySecond);
      if (witness) this.#find('mergeable', first.rule, [markOf(second.rule)], message, witness);
    }
    return subjects.length;
  }

  /** Whether the rule does nothing or nothing of its own. */
  #tell(insight: Insight): boolean {
    const { step } = insight;
    const { rule } = step;
    if (insight.never) {
      this.#find('never-matches', rule, [], `no packet matches ${nameOf(markOf(rule))}: its conditions exclude each other`, undefined);
      return true;
    }
    if (insight.shadowedBy) {
      this.#shadowed(step, insight.shadowedBy);
      return true;
    }
    if (insight.sameAs && insight.reached) this.#redundant(step, insight.sameAs, insight.reached);
    for (const { with: other, place } of insight.conflicts) this.#conflict(step, other, place);
    return insight.sameAs !== undefined;
  }

  #shadowed(step: Step, by: readonly number[]): void {
    const { rule } = step;
    const marks = this.#marks(by);
    const skipped = by.some((i) => this.#program.steps[i]?.target !== undefined);
    const what = skipped ? 'is decided before it or taken past it' : 'is decided before it';
    for (const place of this.#places(step)) {
      const witness = this.#proved(place, (one) => {
        if (!matchesCandidate(this.#program.rules, rule, one)) return false;
        return judgeCandidate(this.#around(place, step.index), one).rule !== rule;
      });
      if (!witness) continue;
      this.#find(
        'shadowed',
        rule,
        marks,
        `every packet that ${nameOf(markOf(rule))} matches ${what} by ${namesOf(marks, by.length)}`,
        witness,
      );
      return;
    }
    this.#miss(rule, 'shadowed', 'no packet could be built that proves it');
  }

  #redundant(step: Step, same: readonly number[], reached: Place): void {
    const { rule, index } = step;
    const instead = this.#inspector.decider(reached, index + 1, index);
    const others = instead ? [instead.index, ...same.filter((i) => i !== instead.index)] : same;
    const marks = this.#marks(others);
    const witness = this.#proved(reached, (one) => this.#fares(one, reached, index, rule, instead?.rule));
    if (!witness) {
      this.#miss(rule, 'redundant', 'no packet could be built that proves it');
      return;
    }
    const by = marks.length === 0 ? 'the end of the rules' : namesOf(marks, others.length);
    const message = `${nameOf(markOf(rule))} changes nothing: without it ${by} would ${rule.action.kind} the same packets`;
    this.#find('redundant', rule, marks, message, witness);
  }

  #conflict(step: Step, other: number, place: Place): void {
    const { rule } = step;
    const second = this.#program.steps[other]?.rule;
    if (!second) return;
    const witness = this.#proved(place, (one) => this.#fares(one, place, step.index, rule, second));
    if (!witness) {
      this.#miss(rule, 'conflict', `no packet could be built that proves the conflict with ${second.name}`);
      return;
    }
    if (witness.assumes.length > 0) {
      this.#miss(rule, 'conflict', `whether it conflicts with ${second.name} depends on the members of named sets`);
      return;
    }
    const [a, b] = [markOf(rule), markOf(second)];
    const message = `${nameOf(a)} and ${nameOf(b)} both match some packets: ${a.name} comes first and does ${a.action}, ${b.name} would ${b.action}`;
    this.#find('conflict', rule, [b], message, witness);
  }

  /** Whether the rule decides a packet, and the other one does when the rule is taken out. */
  #fares(one: Candidate, place: Place, index: number, rule: Rule, other: Rule | undefined): boolean {
    const hook = this.#around(place, index);
    if (judgeCandidate(hook, one).rule !== rule) return false;
    // Its place stays, for skips that go on there.
    return judgeCandidate({ ...hook, rules: hook.rules.map((r) => (r === rule ? { ...r, expression: NEVER } : r)) }, one).rule === other;
  }

  /**
   * The rules by which a packet is judged: all of them, and when that has been done often, those that may match the packet (as far as segments on each axis
   * say), so that a long list is not read again for each of its rules.
   */
  #around(place: Place, index: number): HookRules {
    const { rules, steps } = this.#program;
    if (steps.length < MANY_RULES || ++this.#judged <= FULL_JUDGEMENTS) return rules;
    const kept = [...new Set([...this.#inspector.around(place), index, ...this.#targets])].sort((a, b) => a - b);
    return { ...rules, rules: kept.map((i) => steps[i]?.rule).filter((rule) => rule !== undefined) };
  }

  /** Packets of a rule: the usual ones of its boxes, then some by chance. */
  *#places(step: Step): Iterable<Place> {
    let state = 1;
    const random = (): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state / 4294967296;
    };
    for (const [u, region] of step.reach.entries()) {
      const universe = this.#program.universes[u];
      for (const box of universe ? region.slice(0, 16) : []) {
        const usual = universe && possible(universe, box);
        if (usual) yield { u, point: usual };
      }
      for (const box of universe ? region.slice(0, 4) : []) {
        for (let i = 0; i < 4; i++) {
          const point = universe && chance(universe, box, random);
          if (point) yield { u, point };
        }
      }
    }
  }

  #proved(place: Place, proves: (one: Candidate) => boolean): Witness | undefined {
    const universe = this.#program.universes[place.u];
    // Long lists are not read over and over for the looks of a packet.
    const polish = this.#program.steps.length < MANY_RULES || this.#judged < FULL_JUDGEMENTS;
    return universe && proved([this.#program], universe, place.point, proves, polish);
  }

  #marks(indexes: readonly number[]): readonly RuleMark[] {
    const rules = indexes.slice(0, MOST_OTHERS).map((i) => this.#program.steps[i]?.rule);
    return rules.filter((rule) => rule !== undefined).map(markOf);
  }

  #find(kind: FindingKind, rule: Rule, others: readonly RuleMark[], message: string, witness: Witness | undefined): void {
    this.findings.push({ kind, code: FINDING_CODES[kind].code, hooks: [this.#program.hook], rule: markOf(rule), others, message, witness });
  }

  #miss(rule: Rule, kind: FindingKind | undefined, reason: string): void {
    this.notAnalysed.push({ hook: this.#program.hook, rule: markOf(rule), kind, reason });
  }
}

/** The same finding at several hooks is one. */
function overHooks(findings: readonly Finding[]): readonly Finding[] {
  const found = new Map<string, Finding>();
  for (const finding of findings) {
    const key = JSON.stringify([finding.kind, finding.rule.ref, finding.others.map((other) => other.ref), finding.message]);
    const before = found.get(key);
    found.set(key, before ? { ...before, hooks: [...new Set([...before.hooks, ...finding.hooks])] } : finding);
  }
  return [...found.values()];
}

/** In the order of the files. */
function byPlace(findings: readonly Finding[]): readonly Finding[] {
  const at = ({ rule }: Finding): readonly [string, number] => [rule.span?.file ?? '', rule.span?.line ?? 0];
  return [...findings].sort((a, b) => {
    const [x, y] = [at(a), at(b)];
    return (x[0] < y[0] ? -1 : x[0] > y[0] ? 1 : 0) || x[1] - y[1] || (a.code < b.code ? -1 : a.code > b.code ? 1 : 0);
  });
}
