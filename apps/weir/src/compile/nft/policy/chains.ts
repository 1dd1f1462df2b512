import type { MatchProgram } from '../../../model/match-program.ts';
import { ruleFingerprint } from '../expressions.ts';
import { digest } from '../fingerprint.ts';
import type { ChainImage, LookupImage, MapImage, RuleImage } from '../image.ts';
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

/** Something that a table has, once, and what lies below it. */
export type Entry =
  | { readonly kind: 'chain'; readonly image: ChainImage; readonly shape: Shape }
  | { readonly kind: 'map'; readonly image: MapImage; readonly shape: Shape }
  | { readonly kind: 'lookup'; readonly image: LookupImage; readonly shape: Shape }
  | { readonly kind: 'program'; readonly image: MatchProgram; readonly shape: Shape };

/** The chains of a table, each named after what it does: the same rules are the same chain. What a chain leads to is made before it. */
export class ChainBook {
  readonly chains: ChainImage[] = [];
  readonly maps: MapImage[] = [];
  readonly lookups: LookupImage[] = [];
  readonly programs: MatchProgram[] = [];
  readonly #entries = new Map<string, Entry>();
  #before: ReadonlyMap<string, Entry> | undefined;
  /** Everything that was asked for, in order, whether it was there or not. */
  readonly #asked: Entry[] = [];

  /** Chains of `before` that are asked for again are the same objects. */
  constructor(before?: ReadonlyMap<string, Entry>) {
    this.#before = before;
  }

  /** By name. */
  get entries(): ReadonlyMap<string, Entry> {
    return this.#entries;
  }

  /** Nothing is asked for any more: the book before it is forgotten. */
  close(): void {
    this.#before = undefined;
    this.#asked.length = 0;
  }

  /** What `run` asks for. */
  record<T>(run: () => T): { readonly value: T; readonly asked: readonly Entry[] } {
    const start = this.#asked.length;
    const value = run();
    return { value, asked: this.#asked.slice(start) };
  }

  /** Asks for the same again. */
  replay(asked: readonly Entry[]): void {
    for (const entry of asked) this.#ask(this.#entries.get(entry.image.name) ?? entry);
  }

  #ask(entry: Entry): void {
    this.#asked.push(entry);
    const { name } = entry.image;
    if (this.#entries.has(name)) return;
    this.#entries.set(name, entry);
    if (entry.kind === 'chain') this.chains.push(entry.image);
    else if (entry.kind === 'map') this.maps.push(entry.image);
    else if (entry.kind === 'lookup') this.lookups.push(entry.image);
    else this.programs.push(entry.image);
  }

  /** Name of the chain with these rules. */
  chain(slug: string, rules: readonly RuleImage[], mostWays: number = MOST_WAYS): string {
    const shape = this.shapeOf(rules);
    if (shape.depth >= MOST_CHAINS || shape.ways > mostWays) {
      throw new Inexpressible(
        'nft-too-complex',
        'expression',
        'the expression takes more chains than nf_tables follows: and eBPF programs cannot ask it either',
      );
    }
    const name = `${slug}_${digest(rules.map(ruleFingerprint).join('')).slice(0, 12)}`;
    const before = this.#before?.get(name);
    const image = before?.kind === 'chain' ? before.image : { name, hook: undefined, rules };
    this.#ask(this.#entries.get(name) ?? { kind: 'chain', image, shape });
    return name;
  }

  /** A map whose elements lead to chains that are there. */
  map(image: MapImage): void {
    this.#ask(this.#entries.get(image.name) ?? { kind: 'map', image, shape: this.#below(image) });
  }

  /** The same for several fields. */
  lookup(image: LookupImage): void {
    this.#ask(this.#entries.get(image.name) ?? { kind: 'lookup', image, shape: this.#below(image) });
  }

  /** A program that a rule asks. */
  program(image: MatchProgram): void {
    this.#ask(this.#entries.get(image.name) ?? { kind: 'program', image, shape: { depth: 0, ways: 0 } });
  }

  #below({ elements }: MapImage | LookupImage): Shape {
    const below = elements.map((element) => this.#of(element.verdict.chain));
    return { depth: deepest(below) - 1, ways: sum(below) };
  }

  shapeOf(rules: readonly RuleImage[]): Shape {
    let depth = 0;
    let ways = 0;
    for (const { verdict } of rules) {
      const isMap = verdict.kind === 'map' || verdict.kind === 'lookup';
      if (!isMap && verdict.kind !== 'jump' && verdict.kind !== 'goto') continue;
      const below = this.#of(isMap ? verdict.map : verdict.chain);
      depth = Math.max(depth, isMap ? below.depth + 1 : below.depth);
      ways += below.ways;
    }
    return { depth: 1 + depth, ways: 1 + ways };
  }

  #of(name: string): Shape {
    return this.#entries.get(name)?.shape ?? { depth: 1, ways: 1 };
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
