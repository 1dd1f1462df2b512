import type { HookRules, Rule } from '../../model/rule.ts';
import { type Box, DISJOINT, intersectBoxes, relate } from './box.ts';
import { Meter, OutOfBudget, uncovered } from './cover.ts';
import { Deck } from './deck.ts';
import { markOf, type RuleMark } from './finding.ts';
import { END_OUTCOME, makeProgram, makeUniverses, type Program, type Step } from './program.ts';
import type { Universe } from './universe.ts';
import { type Candidate, judgeCandidate, proved, type Witness } from './witness.ts';

/** A packet that two programs decide differently, and the rules that do. Undefined: no rule does, and the hook accepts it. */
export interface Change {
  readonly before: RuleMark | undefined;
  readonly after: RuleMark | undefined;
  readonly witness: Witness;
  /** `tcp 198.51.100.7 -> 203.0.113.5:443 was ALLOW web#20, will be DENY default`. */
  readonly text: string;
}

export interface Difference {
  /** At most one for each pair of rules, in the order of the rules before, then of those after. */
  readonly changes: readonly Change[];
  /** There are more than the limit. */
  readonly more: boolean;
  /** Pairs of rules of which it is not known whether they decide some packet differently, with the reason. Empty: `changes` (when there are no more) is all. */
  readonly notAnalysed: readonly { readonly before: RuleMark | undefined; readonly after: RuleMark | undefined; readonly reason: string }[];
}

/** Box comparisons for one pair of rules, and for all. */
const PAIR_BUDGET = 3_000_000;
const BUDGET = 600_000_000;

/**
 * Packets whose verdict differs between two programs of one hook, one for each pair of (rule that decides before, rule that decides after), at most `limit`. The verdict
 * is what meets the packet: allow, deny, reject with its answer, or a rate limit (each rule's and rate's is one of its own). Exact: without `more` and `notAnalysed` every
 * packet of a pair that is not listed has the verdict that it had. Tests that are not taken apart (payloads, named sets) count as true or false at will; a witness
 * says what it takes to be so.
 */
export function difference(before: HookRules, after: HookRules, limit: number): Difference {
  const universes = makeUniverses([before, after]);
  return new Comparison(makeProgram(before, universes), makeProgram(after, universes)).run(limit);
}

class Side {
  readonly program: Program;
  readonly decks: readonly Deck[];

  constructor(program: Program) {
    this.program = program;
    this.decks = program.universes.map((universe, u) => new Deck(program, u, universe, 'deciding'));
  }

  /** Boxes of the step, in the family `u`; of the end of the list, which takes what is left, every packet. */
  boxes(index: number, u: number, universe: Universe): readonly Box[] {
    return index >= this.program.steps.length ? [universe.full] : (this.program.steps[index]?.matches[u] ?? []);
  }

  /** Boxes of steps that end before `index` and touch `box`. */
  earlier(box: Box, index: number, u: number): readonly Box[] {
    const deck = this.decks[u];
    return (deck?.near(box, 0, index) ?? [])
      .filter((id) => this.program.steps[deck?.owners[id] ?? -1]?.ends === true)
      .map((id) => deck?.boxes[id] ?? []);
  }

  /** Steps that end and touch `box`, and the end of the list. */
  near(box: Box, u: number): readonly number[] {
    const deck = this.decks[u];
    const ids = (deck?.near(box, 0, this.program.steps.length) ?? []).filter((id) => relate(box, deck?.boxes[id] ?? []) !== DISJOINT);
    const owners = new Set(ids.map((id) => deck?.owners[id] ?? -1).filter((i) => this.program.steps[i]?.ends === true));
    return [...owners, this.program.steps.length];
  }

  outcome(index: number): string {
    return this.program.steps[index]?.outcome ?? END_OUTCOME;
  }

  rule(index: number): Rule | undefined {
    return this.program.steps[index]?.rule;
  }
}

class Comparison {
  readonly #before: Side;
  readonly #after: Side;
  readonly #universes: readonly Universe[];

  constructor(before: Program, after: Program) {
    this.#before = new Side(before);
    this.#after = new Side(after);
    this.#universes = before.universes;
  }

  run(limit: number): Difference {
    const changes: Change[] = [];
    const notAnalysed: Difference['notAnalysed'][number][] = [];
    const mark = (rule: Rule | undefined): RuleMark | undefined => rule && markOf(rule);
    const miss = (b: number, a: number, reason: string): void => {
      notAnalysed.push({ before: mark(this.#before.rule(b)), after: mark(this.#after.rule(a)), reason });
    };
    for (const [side, isBefore] of [
      [this.#before, true],
      [this.#after, false],
    ] as const) {
      for (const { index, unknown } of side.program.steps) {
        if (unknown === undefined || this.#sameUnknown(side, index)) continue;
        const rule = mark(side.rule(index));
        notAnalysed.push({ before: isBefore ? rule : undefined, after: isBefore ? undefined : rule, reason: unknown });
      }
    }
    const whole = new Meter(BUDGET);
    for (const [b, a] of this.#pairs()) {
      if (changes.length >= limit) return { changes, more: true, notAnalysed };
      const meter = new Meter(Math.min(PAIR_BUDGET, whole.left));
      const start = meter.left;
      try {
        const found = this.#compare(b, a, meter);
        if (found === 'unproved') miss(b, a, 'no packet could be built that proves it');
        else if (found) changes.push(found);
      } catch (error) {
        if (!(error instanceof OutOfBudget)) throw error;
        miss(b, a, 'too many rules overlap them');
      }
      const spent = start - Math.max(0, meter.left);
      if (spent <= whole.left) whole.take(spent);
    }
    return { changes, more: false, notAnalysed };
  }

  /** Whether the other program has the same rule, whose region is not known either, with the same rules before it. */
  #sameUnknown(side: Side, index: number): boolean {
    const other = side === this.#before ? this.#after : this.#before;
    return side.program.steps.slice(0, index + 1).every((step, i) => {
      const its = other.program.steps[i];
      return its !== undefined && sameText(step, its);
    });
  }

  /**
   * Pairs of steps that can decide a packet differently. When two rules are in both programs, in the same order and unchanged, no packet is decided by the one
   * before and by the other after: so one of a pair is a rule that is not.
   */
  *#pairs(): Iterable<readonly [number, number]> {
    const { before, after } = this.#kept();
    const seen = new Set<string>();
    const pairs: [number, number][] = [];
    const lookAt = (b: number, a: number): void => {
      if (this.#before.outcome(b) === this.#after.outcome(a) || seen.has(`${b} ${a}`)) return;
      seen.add(`${b} ${a}`);
      pairs.push([b, a]);
    };
    for (const [u, universe] of this.#universes.entries()) {
      for (let b = 0; b <= this.#before.program.steps.length; b++) {
        if (before.has(b) || !this.#decides(this.#before, b)) continue;
        for (const box of this.#before.boxes(b, u, universe)) for (const a of this.#after.near(box, u)) lookAt(b, a);
      }
      for (let a = 0; a <= this.#after.program.steps.length; a++) {
        if (after.has(a) || !this.#decides(this.#after, a)) continue;
        for (const box of this.#after.boxes(a, u, universe)) for (const b of this.#before.near(box, u)) lookAt(b, a);
      }
    }
    yield* pairs.sort((x, y) => x[0] - y[0] || x[1] - y[1]);
  }

  #decides(side: Side, index: number): boolean {
    return index >= side.program.steps.length || side.program.steps[index]?.ends === true;
  }

  /** Steps that both programs have in the same order with the same packets, by their indexes; the ends of the lists are such. */
  #kept(): { readonly before: ReadonlySet<number>; readonly after: ReadonlySet<number> } {
    const places = new Map<string, number>();
    for (const step of this.#after.program.steps) places.set(step.rule.ref, step.index);
    const candidates: [number, number][] = [];
    for (const step of this.#before.program.steps) {
      const other = this.#after.program.steps[places.get(step.rule.ref) ?? -1];
      if (step.ends && other && sameStep(step, other)) candidates.push([step.index, other.index]);
    }
    const kept = longestRising(candidates);
    const ends: readonly (readonly [number, number])[] = [[this.#before.program.steps.length, this.#after.program.steps.length]];
    const all = [...kept, ...ends];
    return { before: new Set(all.map(([b]) => b)), after: new Set(all.map(([, a]) => a)) };
  }

  /** A packet that the one decides before and the other after. */
  #compare(b: number, a: number, meter: Meter): Change | 'unproved' | undefined {
    let unproved = false;
    for (const [u, universe] of this.#universes.entries()) {
      for (const x of this.#before.boxes(b, u, universe)) {
        for (const y of this.#after.boxes(a, u, universe)) {
          const both = intersectBoxes(x, y);
          if (!both) continue;
          const covers = [...this.#before.earlier(both, b, u), ...this.#after.earlier(both, a, u)];
          const point = uncovered(universe, both, covers, meter);
          if (!point) continue;
          const programs = [this.#before.program, this.#after.program];
          const witness = proved(programs, universe, point, (one) => this.#proves(one, b, a), true);
          if (witness) return this.#change(witness, b, a);
          unproved = true;
        }
      }
    }
    return unproved ? 'unproved' : undefined;
  }

  #proves(one: Candidate, b: number, a: number): boolean {
    const was = judgeCandidate(this.#before.program.rules, one).rule;
    const willBe = judgeCandidate(this.#after.program.rules, one).rule;
    return was === this.#before.rule(b) && willBe === this.#after.rule(a);
  }

  #change(witness: Witness, b: number, a: number): Change {
    const was = this.#before.rule(b);
    const willBe = this.#after.rule(a);
    const given = witness.assumes.length === 0 ? '' : ` if ${witness.assumes.join(' and ')}`;
    return {
      before: was && markOf(was),
      after: willBe && markOf(willBe),
      witness,
      text: `${witness.text}${given} was ${verdictOf(was)}, will be ${verdictOf(willBe)}`,
    };
  }
}

/** `ALLOW web#20`, `DENY default`. */
function verdictOf(rule: Rule | undefined): string {
  if (rule === undefined) return 'ALLOW no rule';
  const name = rule.stage === 'policy' ? `${rule.name}#${rule.priority}` : rule.stage === 'default' ? 'default' : rule.name;
  return `${rule.action.kind.toUpperCase().replace('-', ' ')} ${name}`;
}

function sameStep(a: Step, b: Step): boolean {
  return a.outcome === b.outcome && a.ends === b.ends && a.unknown === undefined && b.unknown === undefined && sameRegions(a, b);
}

/** Both were made in the same spaces. */
function sameRegions(a: Step, b: Step): boolean {
  return a.matches.every((region, u) => {
    const other = b.matches[u] ?? [];
    return region.length === other.length && region.every((box, i) => box.every((runs, k) => sameNumbers(runs, other[i]?.[k] ?? [])));
  });
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((value, i) => value === b[i]));
}

function sameText(a: Step, b: Step): boolean {
  const key = ({ rule }: Step): string =>
    JSON.stringify([rule.ref, rule.expression, rule.action, rule.audit], (_, v: unknown) => (typeof v === 'bigint' ? `${v}` : v));
  return key(a) === key(b);
}

/** The longest choice of pairs, given in the order of their first, whose second rise as well. */
function longestRising(pairs: readonly (readonly [number, number])[]): readonly (readonly [number, number])[] {
  // ends[n] is the pair with the least second that a choice of n + 1 pairs ends with.
  const ends: number[] = [];
  const before: number[] = [];
  for (const [i, [, second]] of pairs.entries()) {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((pairs[ends[middle] ?? -1]?.[1] ?? 0) < second) low = middle + 1;
      else high = middle;
    }
    before.push(low === 0 ? -1 : (ends[low - 1] ?? -1));
    ends[low] = i;
  }
  const out: (readonly [number, number])[] = [];
  for (let i = ends[ends.length - 1] ?? -1; i >= 0; i = before[i] ?? -1) {
    const pair = pairs[i];
    if (pair) out.push(pair);
  }
  return out.reverse();
}
