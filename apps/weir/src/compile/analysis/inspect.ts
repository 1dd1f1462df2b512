import type { Rule } from '../../model/rule.ts';
import { type Box, DISJOINT, intersectBoxes, relate } from './box.ts';
import { holds, Meter, OutOfBudget, uncovered } from './cover.ts';
import { Deck } from './deck.ts';
import { type Point, possible } from './possible.ts';
import { END_OUTCOME, isAuditedLimit, type Program, type Step } from './program.ts';

/** Box comparisons for one question about one rule, and for all rules of a program together. */
const RULE_BUDGET = 3_000_000;
const PROGRAM_BUDGET = 600_000_000;
/** Conflicts of one rule that are listed, and later rules that are looked at for them. */
const MOST_CONFLICTS = 4;
const MOST_CONFLICT_TRIES = 6;

/** A point of the space of one family. */
export interface Place {
  readonly u: number;
  readonly point: Point;
}

/** What the spaces say of one rule. Whatever is claimed is exact. */
export interface Insight {
  readonly step: Step;
  /** No packet can match. */
  readonly never: boolean;
  /** Steps (skips among them) that take every packet that it matches; undefined when some packet gets there. */
  readonly shadowedBy: readonly number[] | undefined;
  /** A packet that gets to the rule, if it is known that there is one. */
  readonly reached: Place | undefined;
  /** Steps that do the same with what it decides; undefined when some packet would fare differently, or that is not known. */
  readonly sameAs: readonly number[] | undefined;
  readonly conflicts: readonly { readonly with: number; readonly place: Place }[];
  /** Why something is not known. */
  readonly notKnown: readonly { readonly kind: 'shadowed' | 'redundant' | 'conflict'; readonly reason: string }[];
}

/** Steps that shadow a rule together of which those that are not needed are sorted out. */
const MOST_MINIMISED = 24;

const OVER_BUDGET = 'too many rules overlap it';

/** Looks at each rule of a program. */
export class Inspector {
  readonly #program: Program;
  readonly #decks: readonly Deck[];
  /** The same with every step in it, by what matches before skips. */
  readonly #all: readonly Deck[];
  readonly #unknown: readonly number[];
  readonly #whole: Meter = new Meter(PROGRAM_BUDGET);
  /** The last step takes every packet, so that none comes to the end. */
  readonly #closed: boolean;
  /** No step skips others. */
  readonly #endsOnly: boolean;
  /** The first step whose region is not known and that could end a judgement, from each index on. */
  readonly #unknownFrom: readonly (Step | undefined)[];

  constructor(program: Program) {
    this.#program = program;
    this.#decks = program.universes.map((universe, u) => new Deck(program, u, universe, 'deciding'));
    this.#endsOnly = program.steps.every((step) => step.target === undefined);
    const plain = this.#endsOnly && program.steps.every((step) => step.ends);
    this.#all = plain ? this.#decks : program.universes.map((universe, u) => new Deck(program, u, universe, 'all'));
    this.#unknown = program.steps.flatMap((step) => (step.unknown === undefined ? [] : [step.index]));
    const last = program.steps[program.steps.length - 1];
    this.#closed =
      last?.ends === true && program.universes.every(({ full }, u) => last.matches[u]?.some((box) => relate(full, box) === 0) === true);
    const unknown: (Step | undefined)[] = new Array(program.steps.length + 1).fill(undefined);
    for (let i = program.steps.length - 1; i >= 0; i--) {
      const step = program.steps[i];
      unknown[i] = step?.unknown !== undefined && (step.ends || step.target !== undefined) ? step : unknown[i + 1];
    }
    this.#unknownFrom = unknown;
  }

  inspect(step: Step): Insight {
    const nothing = { step, never: false, shadowedBy: undefined, reached: undefined, sameAs: undefined, conflicts: [], notKnown: [] };
    if (step.reach.every((region) => region.length === 0)) return { ...nothing, never: true };
    let reached: Place | undefined;
    try {
      const used = new Set<number>();
      reached = this.#metered((meter) => this.#reached(step, meter, used));
      if (reached === undefined)
        return {
          ...nothing,
          shadowedBy: this.#needed(
            step,
            [...used].sort((a, b) => a - b),
          ),
        };
    } catch (error) {
      if (!(error instanceof OutOfBudget)) throw error;
      return { ...nothing, notKnown: [{ kind: 'shadowed', reason: OVER_BUDGET }] };
    }
    if (!step.ends) return { ...nothing, reached };
    return { ...nothing, reached, ...this.#compare(step) };
  }

  /** Whether every packet of one step is one of the other. */
  within(inner: Step, outer: Step): boolean {
    return this.#metered((meter) =>
      inner.reach.every((region, u) => {
        const deck = this.#decks[u];
        return deck === undefined || region.every((box) => uncovered(deck.universe, box, outer.reach[u] ?? [], meter) === undefined);
      }),
    );
  }

  /** A packet of `step` that is not in `other`; undefined when there is none. */
  outside(step: Step, other: Step): Place | undefined {
    return this.#metered((meter) => {
      for (const [u, region] of step.reach.entries()) {
        const deck = this.#decks[u];
        for (const box of deck === undefined ? [] : region) {
          const point = deck && uncovered(deck.universe, box, other.reach[u] ?? [], meter);
          if (point) return { u, point };
        }
      }
      return undefined;
    });
  }

  /** The step that takes a packet, from the index `from` on, leaving one out; undefined when none does. */
  decider(place: Place, from: number, without: number): Step | undefined {
    const deck = this.#decks[place.u];
    const box = place.point.map((segment) => [segment, segment]);
    const found = deck?.near(box, from, this.#program.steps.length).find((id) => {
      const owner = deck.owners[id] ?? -1;
      return owner !== without && this.#program.steps[owner]?.ends === true && relate(box, deck.boxes[id] ?? []) !== DISJOINT;
    });
    return found === undefined ? undefined : this.#program.steps[deck?.owners[found] ?? -1];
  }

  /** Indexes of the steps that may match a packet, in order, those whose regions are not known among them. */
  around(place: Place): readonly number[] {
    const all = this.#all[place.u];
    const box = place.point.map((segment) => [segment, segment]);
    const ids = all?.near(box, 0, this.#program.steps.length) ?? [];
    return [...new Set([...ids.map((id) => all?.owners[id] ?? -1), ...this.#unknown])].sort((a, b) => a - b);
  }

  #metered<T>(work: (meter: Meter) => T): T {
    const meter = new Meter(Math.min(RULE_BUDGET, this.#whole.left));
    const before = meter.left;
    try {
      return work(meter);
    } finally {
      const spent = before - Math.max(0, meter.left);
      if (spent < this.#whole.left) this.#whole.take(spent);
    }
  }

  /** A packet that no step before takes; `used` gets the steps that the proof of the contrary needed. */
  #reached(step: Step, meter: Meter, used: Set<number>): Place | undefined {
    for (const [u, region] of step.reach.entries()) {
      const deck = this.#decks[u];
      for (const box of deck === undefined ? [] : region) {
        if (deck === undefined) continue;
        const near = deck.near(box, 0, step.index);
        const ids = this.#endsOnly
          ? near
          : near.filter((id) => {
              const owner = this.#program.steps[deck.owners[id] ?? -1];
              return owner !== undefined && (owner.ends || (owner.target ?? 0) > step.index);
            });
        const covers = new Set<number>();
        const point = uncovered(deck.universe, box, boxesAt(deck, ids), meter, covers);
        if (point) return { u, point };
        for (const i of covers) used.add(deck.owners[ids[i] ?? -1] ?? -1);
      }
    }
    return undefined;
  }

  /** Of steps that take everything from another one, those without which it would not be so. */
  #needed(step: Step, by: readonly number[]): readonly number[] {
    if (by.length < 2 || by.length > MOST_MINIMISED) return by;
    let kept = by;
    for (const one of by) {
      const rest = kept.filter((i) => i !== one);
      const takes = step.reach.every((region, u) => {
        const deck = this.#decks[u];
        const covers = rest.flatMap((i) => this.#program.steps[i]?.matches[u] ?? []);
        return (
          deck === undefined || region.every((box) => this.#metered((meter) => uncovered(deck.universe, box, covers, meter) === undefined))
        );
      });
      if (takes) kept = rest;
    }
    return kept;
  }

  /** The rule against those after it: what would decide in its place. */
  #compare(step: Step): Pick<Insight, 'sameAs' | 'conflicts' | 'notKnown'> {
    const { rule, index } = step;
    const notKnown: Insight['notKnown'][number][] = [];
    const conflicts = new Map<number, Place>();
    const same = new Set<number>();
    const asksRedundant = rule.action.kind !== 'rate-limit' && rule.stage === 'policy';
    let redundant = asksRedundant;
    const unknown = this.#unknownFrom[index + 1];
    if (redundant && unknown) {
      redundant = false;
      notKnown.push({ kind: 'redundant', reason: `${unknown.rule.name} after it is not analysed` });
    }
    let tries = 0;
    // Some conflict may be left out.
    let cut = false;
    try {
      this.#metered((meter) => {
        const near = this.#touching(step, meter);
        const later = this.#later(near, index);
        // What decides when nothing else does is the likeliest to differ.
        const order = [...later.slice(-1), ...later.slice(0, -1)];
        for (const owner of order) {
          const other = this.#program.steps[owner];
          if (outcomeAt(this.#program, owner) === step.outcome && !differsInLog(rule, other?.rule)) {
            same.add(owner);
            continue;
          }
          const room = conflicts.size < MOST_CONFLICTS && tries < MOST_CONFLICT_TRIES;
          if (!room) cut = true;
          if (!redundant && !room) break;
          const clashes = room && other !== undefined && isConflict(rule, other.rule);
          if (!redundant && !clashes) continue;
          if (clashes) tries++;
          const place = this.#decidesInstead(index, owner, near, meter);
          if (!place) continue;
          redundant = false;
          if (clashes && !this.within(step, other) && !this.within(other, step)) conflicts.set(owner, place);
        }
      });
    } catch (error) {
      if (!(error instanceof OutOfBudget)) throw error;
      if (redundant) notKnown.push({ kind: 'redundant', reason: OVER_BUDGET });
      notKnown.push({ kind: 'conflict', reason: OVER_BUDGET });
      redundant = false;
    }
    if (cut) {
      notKnown.push({ kind: 'conflict', reason: 'it overlaps many rules with another action: not every conflict is listed' });
    }
    return {
      sameAs: redundant ? [...same].sort((a, b) => a - b) : undefined,
      conflicts: [...conflicts].sort((a, b) => a[0] - b[0]).map(([other, place]) => ({ with: other, place })),
      notKnown,
    };
  }

  /** For each box of a step the boxes of steps that end and touch it. */
  #touching(step: Step, meter: Meter): readonly Near[] {
    const { steps } = this.#program;
    return step.matches.flatMap((region, u): readonly Near[] => {
      const deck = this.#decks[u];
      if (deck === undefined) return [];
      return region.map((box) => {
        const near = deck.near(box, 0, steps.length);
        meter.take(near.length);
        const ids = near.filter(
          (id) => relate(box, deck.boxes[id] ?? []) !== DISJOINT && (this.#endsOnly || steps[deck.owners[id] ?? -1]?.ends === true),
        );
        return { u, deck, box, ids };
      });
    });
  }

  /** The steps after one that touch it, in order. The last is what takes packets that no rule decides, be it the end of the list. */
  #later(near: readonly Near[], index: number): readonly number[] {
    const owners = new Set<number>();
    for (const { deck, ids } of near)
      for (let i = ids.length - 1; i >= 0; i--) {
        const owner = deck.owners[ids[i] ?? -1] ?? -1;
        if (owner <= index) break;
        owners.add(owner);
      }
    if (!this.#closed) owners.add(this.#program.steps.length);
    return [...owners].sort((a, b) => a - b);
  }

  /** A packet that the step decides and that the other one would decide without it. */
  #decidesInstead(index: number, owner: number, near: readonly Near[], meter: Meter): Place | undefined {
    for (const { u, deck, box, ids } of near) {
      const others = owner >= this.#program.steps.length ? [deck.universe.full] : boxesAt(deck, ownedBy(deck, ids, owner));
      if (others.length === 0) continue;
      // A packet at hand is looked for first: most pairs have one.
      for (const other of others) {
        const both = intersectBoxes(box, other);
        const point = both && possible(deck.universe, both);
        if (!point) continue;
        meter.take(ids.length);
        if (!taken(deck, ids, owner, index, point)) return { u, point };
      }
      const covers: Box[] = [];
      for (const id of ids) {
        const its = deck.owners[id] ?? -1;
        if (its >= owner) break;
        if (its !== index) covers.push(deck.boxes[id] ?? []);
      }
      for (const other of others) {
        const both = intersectBoxes(box, other);
        const point = both && uncovered(deck.universe, both, covers, meter);
        if (point) return { u, point };
      }
    }
    return undefined;
  }
}

interface Near {
  readonly u: number;
  readonly deck: Deck;
  readonly box: Box;
  /** In order. */
  readonly ids: readonly number[];
}

/** Whether some step before `owner` but for one takes a packet. */
function taken(deck: Deck, ids: readonly number[], owner: number, without: number, point: Point): boolean {
  for (const id of ids) {
    const its = deck.owners[id] ?? -1;
    if (its >= owner) return false;
    if (its !== without && holds(deck.boxes[id] ?? [], point)) return true;
  }
  return false;
}

/** Of boxes in order those of one step. */
function ownedBy(deck: Deck, ids: readonly number[], owner: number): readonly number[] {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((deck.owners[ids[middle] ?? -1] ?? 0) < owner) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < ids.length && deck.owners[ids[end] ?? -1] === owner) end++;
  return ids.slice(low, end);
}

function boxesAt(deck: Deck, ids: readonly number[]): readonly Box[] {
  return ids.map((id) => deck.boxes[id] ?? []);
}

function outcomeAt(program: Program, owner: number): string {
  return program.steps[owner]?.outcome ?? END_OUTCOME;
}

/** A rule that logs is not the same as one that does not. */
function differsInLog(rule: Rule, other: Rule | undefined): boolean {
  return rule.log !== (other?.log ?? false);
}

/** What is in audit mode does not act, so it clashes with nothing. */
function isConflict(a: Rule, b: Rule): boolean {
  if (isAuditedLimit(a) || isAuditedLimit(b)) return false;
  return a.stage === 'policy' && b.stage === 'policy' && a.action.kind !== b.action.kind;
}
