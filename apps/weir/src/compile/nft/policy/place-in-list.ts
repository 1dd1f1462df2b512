import type { Rule } from '../../../model/rule.ts';
import { isLimit } from '../expressions.ts';
import type { RuleImage } from '../image.ts';
import { type Alternative, ANY, type Product } from './alternative.ts';
import { type Effect, label } from './effect.ts';
import { type Graph, RETURN, type Split, type Target } from './graph.ts';
import { Inexpressible } from './problem.ts';

/**
 * What a rule comes to where it stands in a list: one that does not end goes on with the next one. What takes more chains than there can be is asked by a program, as far as programs can.
 * @throws Inexpressible
 */
export function placeInList(rule: Pick<Rule, 'name' | 'expression'>, effect: Effect, graphOf: () => Graph): readonly RuleImage[] {
  const graph = graphOf();
  const split = graph.split(itemsOf(rule));
  try {
    return placeSplit(rule.name, effect, graph, split);
  } catch (error) {
    const simpler = error instanceof Inexpressible && error.code === 'nft-too-complex' ? graph.withProgram(split) : undefined;
    if (!simpler) throw error;
    return placeSplit(rule.name, effect, graphOf(), simpler);
  }
}

function placeSplit(called: string, effect: Effect, graph: Graph, split: Split): RuleImage[] {
  const name = label(called);
  if (split.product.alternatives.length === 0) return [];
  const { product } = split;
  const simple = split.barred.length === 0 && split.rest.length === 0;
  const once = product.disjoint || product.alternatives.length === 1;
  const [only] = effect.tails.length === 1 && !effect.tails.some(limits) ? effect.tails : [];
  if (simple && only && (effect.ends || once)) {
    return product.alternatives.map(({ matches }) => ({ ...only, name, matches: [...matches, ...only.matches] }));
  }
  const own = effect.tails.map((tail): RuleImage => ({ ...tail, name }));
  // A limit has one place, in a chain of its own: all that leads to it, that of later fragments too, takes from one bucket.
  if (simple && isEverything(product) && own.every(isFree)) return own;
  const yes = (): Target => (only ? { kind: 'tail', tail: only } : graph.chain(own));
  if (simple && (effect.ends || once)) return graph.lead(product.alternatives, jumpTo(graph.chain(own)));
  if (once && product.alternatives.length > 0) {
    return leadInto(graph, product.alternatives, graph.chain(graph.emitRest(split, yes(), RETURN)));
  }
  return leadInto(graph, [ANY], graph.chain(graph.all(split, yes(), RETURN)));
}

export function itemsOf({ expression }: Pick<Rule, 'expression'>): Parameters<Graph['split']>[0] {
  return expression.kind === 'and' ? expression.items : [expression];
}

/** Whether a rule may stand in a list, and in several chains. */
function isFree(rule: RuleImage): boolean {
  return rule.verdict.kind !== 'return' && !limits(rule);
}

function limits({ statements = [] }: Pick<RuleImage, 'statements'>): boolean {
  return statements.some(isLimit);
}

function isEverything({ alternatives }: Product): boolean {
  return alternatives.length === 1 && alternatives[0]?.matches.length === 0;
}

/** A chain without rules does nothing. */
export function leadInto(graph: Graph, alternatives: readonly Alternative[], chain: Target): RuleImage[] {
  return chain.kind === 'return' ? [] : graph.lead(alternatives, jumpTo(chain));
}

/** A list comes back to its next rule. */
function jumpTo(target: Target): Target {
  if (target.kind !== 'goto') return target;
  const { chain } = target;
  return { kind: 'tail', tail: { matches: [], count: false, verdict: { kind: 'jump', chain } } };
}
