import type { HookRules, Rule } from '../../../model/rule.ts';
import type { MeterImage, RuleImage } from '../image.ts';
import { type Alternative, ANY, type Product } from './alternative.ts';
import { type ChainBook, slugOf } from './chains.ts';
import { type Effect, type EffectOptions, effectOf, label } from './effect.ts';
import { Graph, RETURN, type Target } from './graph.ts';
import type { ListNames } from './literal.ts';
import { Inexpressible, type NftProblem } from './problem.ts';

/** A rule as the rules of the chain that judges it in its turn. */
export interface PlacedRule {
  readonly rule: Rule;
  readonly images: readonly RuleImage[];
}

/** Puts rules that stand one after another into a chain. */
export type Arrange = (rules: readonly PlacedRule[]) => readonly RuleImage[];

export interface SequenceContext {
  readonly book: ChainBook;
  readonly hasList: ListNames;
  readonly effects: EffectOptions;
  readonly arrange: Arrange;
  readonly problems: NftProblem[];
  readonly meters: MeterImage[];
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
  /** Of each rule: the index that it skips to; undefined where it does not. */
  readonly #targets: readonly (number | undefined)[];

  constructor(hook: HookRules, context: SequenceContext) {
    this.#hook = hook;
    this.#context = context;
    this.#slug = slugOf(hook.hook);
    this.#targets = hook.rules.map((rule, i) => this.#targetOf(rule, i));
  }

  /** The rules of the base chain. */
  compile(): RuleImage[] {
    const { rules } = this.#hook;
    return this.#block(0, rules.length, RETURN, new Map([[rules.length, RETURN]]));
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
    let run: PlacedRule[] = [];
    const flush = (): void => {
      out.push(...this.#context.arrange(run));
      run = [];
    };
    for (let i = from; i < to; i++) {
      const rule = this.#hook.rules[i];
      if (!rule) continue;
      const target = this.#targets[i];
      if (rule.action.kind !== 'skip' || target === undefined || target === i + 1) {
        const images = this.#guard(rule, () => this.#place(rule)) ?? [];
        if (images.length > 0) run.push({ rule, images });
        continue;
      }
      flush();
      const known = labels.get(target);
      if (known) {
        // The rest of the block, when the rule does not skip, may be a chain of its own.
        const after = (): RuleImage[] => this.#block(i + 1, to, end, labels);
        return [...out, ...(this.#guard(rule, () => this.#skip(rule, known, after)) ?? after())];
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
      const tail: Target = { kind: 'goto', chain: this.#chain(this.#block(target, to, end, labels)) };
      return [...out, ...this.#block(i, target, tail, new Map([...labels, [target, tail]]))];
    }
    flush();
    if (end.kind === 'goto') out.push({ name: 'and then', matches: [], count: false, verdict: end });
    return out;
  }

  #chain(rules: readonly RuleImage[]): string {
    return this.#context.book.chain(this.#slug, rules);
  }

  /** Whether a rule between the two skips to beyond the second. */
  #crosses(from: number, to: number): boolean {
    for (let i = from; i < to; i++) if ((this.#targets[i] ?? 0) > to) return true;
    return false;
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

  #skip(rule: Rule, to: Target, after: () => RuleImage[]): RuleImage[] {
    const graph = this.#graph(rule);
    const [tail] = effectOf(this.#hook, rule, this.#context.effects).tails;
    if (!tail || to.kind === 'tail') return after();
    const yes: Target = { kind: 'tail', tail: { ...tail, verdict: to } };
    const split = graph.split(itemsOf(rule));
    const simple = split.barred.length === 0 && split.rest.length === 0;
    if (simple) return [...graph.lead(split.product.alternatives, yes), ...after()];
    return graph.emit(rule.expression, yes, graph.chain(after()));
  }

  #graph(rule: Rule): Graph {
    const { book, hasList } = this.#context;
    return new Graph(book, slugOf(rule.ref), label(rule.name), hasList);
  }

  /** A skip to the next rule only counts and logs. */
  #effect(rule: Rule): Effect {
    const effect = effectOf(this.#hook, rule, this.#context.effects);
    if (rule.action.kind !== 'skip') return effect;
    return { ...effect, tails: effect.tails.map((tail) => ({ ...tail, verdict: { kind: 'continue' } })), ends: false };
  }

  /** In a list, a rule that does not end goes on with the next one. */
  #place(rule: Rule): RuleImage[] {
    const effect = this.#effect(rule);
    const name = label(rule.name);
    const graph = this.#graph(rule);
    const split = graph.split(itemsOf(rule));
    if (split.product.alternatives.length === 0) return [];
    this.#context.meters.push(...effect.meters);
    const { product } = split;
    const simple = split.barred.length === 0 && split.rest.length === 0;
    const once = product.disjoint || product.alternatives.length === 1;
    const [only] = effect.tails;
    if (simple && only && effect.tails.length === 1 && (effect.ends || once)) {
      return product.alternatives.map(({ matches }) => ({ ...only, name, matches: [...matches, ...only.matches] }));
    }
    const own = effect.tails.map((tail): RuleImage => ({ ...tail, name }));
    if (simple && isEverything(product) && own.every(({ verdict }) => verdict.kind !== 'return')) return own;
    const yes = (): Target => (only && effect.tails.length === 1 ? { kind: 'tail', tail: only } : graph.chain(own));
    if (simple && (effect.ends || once)) return graph.lead(product.alternatives, jumpTo(graph.chain(own)));
    if (once && product.alternatives.length > 0) {
      return leadInto(graph, product.alternatives, graph.chain(graph.emitRest(split, yes(), RETURN)));
    }
    return leadInto(graph, [ANY], graph.chain(graph.emit(rule.expression, yes(), RETURN)));
  }
}

function itemsOf(rule: Rule): Parameters<Graph['split']>[0] {
  const { expression } = rule;
  return expression.kind === 'and' ? expression.items : [expression];
}

function isEverything({ alternatives }: Product): boolean {
  return alternatives.length === 1 && alternatives[0]?.matches.length === 0;
}

/** A chain without rules does nothing. */
function leadInto(graph: Graph, alternatives: readonly Alternative[], chain: Target): RuleImage[] {
  return chain.kind === 'return' ? [] : graph.lead(alternatives, jumpTo(chain));
}

/** A list comes back to its next rule. */
function jumpTo(target: Target): Target {
  if (target.kind !== 'goto') return target;
  const { chain } = target;
  return { kind: 'tail', tail: { matches: [], count: false, verdict: { kind: 'jump', chain } } };
}
