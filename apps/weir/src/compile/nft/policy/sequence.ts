import type { HookRules, Rule } from '../../../model/rule.ts';
import type { MeterImage, RuleImage } from '../image.ts';
import { ANY } from './alternative.ts';
import { type ChainBook, MOST_WAYS_OF_ALL, slugOf } from './chains.ts';
import { type Effect, type EffectOptions, effectOf, label } from './effect.ts';
import { Graph, RETURN, type Target } from './graph.ts';
import type { CompileMemo } from './memo.ts';
import { itemsOf, leadInto, placeInList } from './place-in-list.ts';
import { Inexpressible, type NftProblem } from './problem.ts';
import type { Programs } from './programs.ts';

/** Puts the rules of run `run` of a hook, which stand one after another, into a chain. */
export type Arrange = (rules: readonly RuleImage[], hook: string, run: number) => readonly RuleImage[];

export interface SequenceContext {
  readonly book: ChainBook;
  readonly programs: Programs;
  readonly effects: EffectOptions;
  readonly arrange: Arrange;
  readonly problems: NftProblem[];
  readonly meters: MeterImage[];
  readonly memo: CompileMemo | undefined;
}

/** How to get to the places that rules skip to, by their index. */
type Labels = ReadonlyMap<number, Target>;

/**
 * The rules of a hook in their order. A skip leads to the end of a block: what it skips is a chain that the list jumps to, and a skip comes back from it early. Where
 * blocks cross, what follows the inner target is a chain that both ways go to.
 */
export class Sequence {
  readonly #hook: HookRules;
  readonly #context: SequenceContext;
  readonly #slug: string;
  #runs = 0;
  /** Of each rule: the index that it skips to; undefined where it does not. */
  readonly #targets: readonly (number | undefined)[];

  constructor(hook: HookRules, context: SequenceContext) {
    this.#hook = hook;
    this.#context = context;
    this.#slug = slugOf(hook.priority === 0 ? hook.hook : `${hook.hook}_${hook.priority < 0 ? 'm' : ''}${Math.abs(hook.priority)}`);
    this.#targets = hook.rules.map((rule, i) => this.#targetOf(rule, i));
  }

  /** The rules of the base chain; `problems` and what is led to are in the context then. */
  compile(): RuleImage[] {
    const { rules } = this.#hook;
    const { problems, meters } = this.#context;
    const before = { problems: problems.length, meters: meters.length };
    const last = rules.at(-1);
    const ways = [
      () => this.#block(0, rules.length, RETURN, new Map([[rules.length, RETURN]])),
      ...(last && this.#effect(last).ends ? [() => this.#rest(0, new Map())] : []),
    ];
    let problem: Inexpressible | undefined;
    for (const way of ways) {
      problems.length = before.problems;
      meters.length = before.meters;
      try {
        return way();
      } catch (error) {
        if (!(error instanceof Inexpressible)) throw error;
        problem = error;
      }
    }
    if (problem) {
      const { code, construct, message } = problem;
      problems.push({ code, hook: this.#hook.hook, rule: undefined, construct, message, span: undefined, provenance: undefined });
    }
    return [];
  }

  /**
   * Rules to the end of the hook, for lists whose blocks lie too deep in each other: what follows each place that is skipped to is a chain, and who skips there goes
   * to it, never to come back, for the last rule takes every packet.
   */
  #rest(from: number, known: Map<number, Target>): RuleImage[] {
    const targets = [...new Set(this.#targets)].filter((at) => at !== undefined).sort((a, b) => a - b);
    const restAt = (at: number): Target => {
      const there = known.get(at) ?? { kind: 'goto', chain: this.#chain(this.#rest(at, known)) };
      known.set(at, there);
      return there;
    };
    const to = targets.find((at) => at > from) ?? this.#hook.rules.length;
    // From the last on, so that none waits for another.
    for (const at of [...targets].reverse()) if (at > from) restAt(at);
    const out: RuleImage[] = [];
    for (let i = from; i < to; i++) {
      const rule = this.#hook.rules[i];
      const target = this.#targets[i];
      if (!rule) continue;
      const images = this.#guard(rule, () => (this.#isSkip(i) ? this.#skipAway(rule, restAt(target ?? to)) : this.#place(rule)));
      out.push(...(images ?? []));
    }
    if (to < this.#hook.rules.length)
      out.push({ name: 'and then', matches: [], count: false, verdict: { kind: 'goto', chain: chainOf(restAt(to)) } });
    return out;
  }

  /** Whether the rule skips another. */
  #isSkip(index: number): boolean {
    const target = this.#targets[index];
    return target !== undefined && target > index + 1;
  }

  #targetOf(rule: Rule, index: number): number | undefined {
    const { action } = rule;
    if (action.kind !== 'skip') return undefined;
    const { rules } = this.#hook;
    const at = action.to === undefined ? rules.length - 1 : rules.findIndex((other) => other.ref === action.to);
    return at > index ? at : undefined;
  }

  /** Rules `from` up to `to`; packets that pass them all go to `end`. */
  #block(from: number, to: number, end: Target, labels: Labels): RuleImage[] {
    const out: RuleImage[] = [];
    let run: RuleImage[] = [];
    const flush = (): void => {
      if (run.length > 0) out.push(...this.#context.arrange(run, this.#slug, this.#runs++));
      run = [];
    };
    for (let i = from; i < to; i++) {
      const rule = this.#hook.rules[i];
      if (!rule) continue;
      const target = this.#targets[i];
      if (target === undefined || !this.#isSkip(i)) {
        run.push(...(this.#guard(rule, () => this.#place(rule)) ?? []));
        continue;
      }
      flush();
      const known = labels.get(target);
      if (known) {
        return [...out, ...this.#skip(rule, known, () => this.#block(i + 1, to, end, labels))];
      }
      if (!this.#crosses(i, target)) {
        const inner = this.#block(i, target, RETURN, new Map([[target, RETURN]]));
        const chain = this.#chain(inner);
        out.push({
          name: label(`skip to ${this.#hook.rules[target]?.name ?? 'the end'}`),
          matches: [],
          count: false,
          verdict: { kind: 'jump', chain },
        });
        i = target - 1;
        continue;
      }
      // Each place from the target on that a rule before it skips to is the start of a chain, the last one first.
      let tail = end;
      let stop = to;
      const places = new Map(labels);
      for (const at of this.#placesFrom(i, target, labels)) {
        tail = { kind: 'goto', chain: this.#chain(this.#block(at, stop, tail, places)) };
        places.set(at, tail);
        stop = at;
      }
      return [...out, ...this.#block(i, target, tail, places)];
    }
    flush();
    if (end.kind === 'goto') out.push({ name: 'and then', matches: [], count: false, verdict: end });
    return out;
  }

  #chain(rules: readonly RuleImage[]): string {
    return this.#context.book.chain(this.#slug, rules, MOST_WAYS_OF_ALL);
  }

  /** Whether a rule between the two skips to beyond the second. */
  #crosses(from: number, to: number): boolean {
    for (let i = from; i < to; i++) if ((this.#targets[i] ?? 0) > to) return true;
    return false;
  }

  /** `first`, and the places after it that rules from `from` on skip to without there being a way yet; the last first. */
  #placesFrom(from: number, first: number, labels: Labels): readonly number[] {
    const places = new Set([first]);
    let last = first;
    for (let i = from; i < last; i++) {
      const at = this.#targets[i];
      if (at === undefined || at <= first || !this.#isSkip(i) || labels.has(at)) continue;
      places.add(at);
      last = Math.max(last, at);
    }
    return [...places].sort((a, b) => b - a);
  }

  #guard<T>(rule: Rule, compile: () => T): T | undefined {
    try {
      return compile();
    } catch (error) {
      if (!(error instanceof Inexpressible)) throw error;
      const { code, construct, message, span } = error;
      const { hook } = this.#hook;
      this.#context.problems.push({ code, hook, rule: rule.ref, construct, message, span, provenance: rule.provenance });
      return undefined;
    }
  }

  /** A skip as the last rule of a chain but those `after` it. */
  #skip(rule: Rule, to: Target, after: () => RuleImage[]): RuleImage[] {
    const graph = this.#graph(rule);
    const yes = this.#away(rule, to, graph);
    const split = this.#guard(rule, () => graph.split(itemsOf(rule)));
    if (!split) return after();
    const simple = split.barred.length === 0 && split.rest.length === 0;
    if (simple) return [...graph.lead(split.product.alternatives, yes), ...after()];
    // The rest of the block, when the rule does not skip, is a chain of its own.
    const own = this.#guard(rule, () => graph.chain(graph.emit(rule.expression, yes, RETURN)));
    return own ? graph.emit(rule.expression, yes, graph.chain(after())) : after();
  }

  /** A skip from anywhere in a list. */
  #skipAway(rule: Rule, to: Target): RuleImage[] {
    const graph = this.#graph(rule);
    const yes = this.#away(rule, to, graph);
    const split = graph.split(itemsOf(rule));
    if (split.barred.length === 0 && split.rest.length === 0) return graph.lead(split.product.alternatives, yes);
    return leadInto(graph, [ANY], graph.chain(graph.emit(rule.expression, yes, RETURN)));
  }

  #away(rule: Rule, to: Target, graph: Graph): Target {
    const { tails } = effectOf(this.#hook, rule, this.#context.effects);
    const last = tails.at(-1);
    if (!last || to.kind === 'tail') return to;
    const tail = { ...last, verdict: to };
    if (tails.length === 1) return { kind: 'tail', tail };
    return graph.chain([...tails.slice(0, -1), tail].map((one) => ({ ...one, name: label(rule.name) })));
  }

  #graph(rule: Rule): Graph {
    const { book, programs } = this.#context;
    programs.know(rule.program);
    // Another hook has chains of its own: limits and counters are for each.
    return new Graph(book, `${this.#slug}_${slugOf(rule.ref)}`, label(rule.name), programs);
  }

  /** A skip to the next rule only counts and logs. */
  #effect(rule: Rule): Effect {
    const effect = effectOf(this.#hook, rule, this.#context.effects);
    if (rule.action.kind !== 'skip') return effect;
    return { ...effect, tails: effect.tails.map((tail) => ({ ...tail, verdict: { kind: 'continue' } })), ends: false };
  }

  #place(rule: Rule): readonly RuleImage[] {
    const { memo, book, meters } = this.#context;
    // What a skip comes to depends on the rules beside it.
    if (!memo || rule.action.kind === 'skip') return this.#compilePlace(rule);
    return memo.place(this.#hook, rule, book, meters, () => this.#compilePlace(rule));
  }

  #compilePlace(rule: Rule): readonly RuleImage[] {
    const effect = this.#effect(rule);
    const placed = placeInList(rule, effect, () => this.#graph(rule));
    if (placed.length > 0) this.#context.meters.push(...effect.meters);
    return placed;
  }
}

function chainOf(target: Target): string {
  return target.kind === 'goto' ? target.chain : '';
}
