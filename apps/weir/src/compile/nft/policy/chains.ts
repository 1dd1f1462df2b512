import { ruleFingerprint } from '../expressions.ts';
import { digest } from '../fingerprint.ts';
import type { ChainImage, MapImage, RuleImage } from '../image.ts';
import { Inexpressible } from './problem.ts';

/** The kernel follows 16 chains into each other, the one at the hook included. */
const MOST_CHAINS = 16;
/** It follows every way through them at each commit: so many for one rule at most. */
const MOST_WAYS = 4096;
/** And so many for all rules of a list that is arranged as a tree. */
export const MOST_WAYS_OF_ALL = 1_000_000;
const MOST_SLUG = 24;

export interface Shape {
  /** Chains below it, itself included. */
  readonly depth: number;
  /** Ways through what is below it, itself included. */
  readonly ways: number;
}

/** The chains of a table, each named after what it does: the same rules are the same chain. What a chain leads to is made before it. */
export class ChainBook {
  readonly chains: ChainImage[] = [];
  readonly maps: MapImage[] = [];
  readonly #shapes = new Map<string, Shape>();

  /** Name of the chain with these rules. */
  chain(slug: string, rules: readonly RuleImage[], mostWays: number = MOST_WAYS): string {
    const shape = this.shapeOf(rules);
    if (shape.depth >= MOST_CHAINS || shape.ways > mostWays) {
      throw new Inexpressible(
        'nft-too-complex',
        'expression',
        'the expression takes more chains than nf_tables follows: use the eBPF engine for this rule',
      );
    }
    const name = `${slug}_${digest(rules.map(ruleFingerprint).join('')).slice(0, 12)}`;
    if (!this.#shapes.has(name)) {
      this.#shapes.set(name, shape);
      this.chains.push({ name, hook: undefined, rules });
    }
    return name;
  }

  /** Adds a chain that has a name of its own. */
  add(chain: ChainImage): void {
    this.#shapes.set(chain.name, this.shapeOf(chain.rules));
    this.chains.push(chain);
  }

  /** A map whose elements lead to chains that are there. */
  map(map: MapImage): void {
    if (this.#shapes.has(map.name)) return;
    const below = map.elements.map((element) => this.#of(element.verdict.chain));
    this.#shapes.set(map.name, { depth: deepest(below) - 1, ways: sum(below) });
    this.maps.push(map);
  }

  shapeOf(rules: readonly RuleImage[]): Shape {
    const below = rules.flatMap(({ verdict }): Shape[] => {
      if (verdict.kind === 'jump' || verdict.kind === 'goto') return [this.#of(verdict.chain)];
      if (verdict.kind !== 'map') return [];
      const { depth, ways } = this.#of(verdict.map);
      return [{ depth: depth + 1, ways }];
    });
    return { depth: 1 + deepest(below), ways: 1 + sum(below) };
  }

  #of(name: string): Shape {
    return this.#shapes.get(name) ?? { depth: 1, ways: 1 };
  }
}

function deepest(shapes: readonly Shape[]): number {
  return shapes.reduce((most, { depth }) => Math.max(most, depth), 0);
}

function sum(shapes: readonly Shape[]): number {
  return shapes.reduce((all, { ways }) => all + ways, 0);
}

/** Whether what is so deep and has so many ways still fits when it is `deeper` by so many chains and has `times` as many ways. */
export function hasRoom({ depth, ways }: Shape, deeper: number, times: number): boolean {
  return depth + deeper < MOST_CHAINS && ways * times <= MOST_WAYS_OF_ALL;
}

/** A ref as the beginning of a chain's name: a letter, then letters, digits and `_`. */
export function slugOf(ref: string): string {
  const plain = ref.replace(/[^A-Za-z0-9]+/g, '_').slice(0, MOST_SLUG);
  return /^[A-Za-z]/.test(plain) ? plain : `r${plain}`;
}
