import { fingerprint } from '../fingerprint.ts';
import type { MapElement, RuleImage } from '../image.ts';
import { type ChainBook, MOST_WAYS_OF_ALL } from './chains.ts';
import { type ListItem, listItem } from './field-index.ts';
import { bestSplit, describeSplit } from './split.ts';

/** Lists of so many rules are walked through. */
const LEAF = 8;
/** Shorter lists stay as they are written. */
const SHORTEST = 64;
/** A tree holds so many times the rules of its list beside them at most, */
const COPIES = 3;
/** and each step towards the leaves takes so much of what is left. */
const SHARE = 0.4;
const LEVELS = 8;
/** A list that becomes a tree lies so many chains deeper at most, and has so many times as many ways through it. */
export const TREE_DEPTH: number = LEVELS + 2;
export const TREE_WAYS: number = 2 * (COPIES + 1);

/**
 * A long list as a decision tree: maps from the values of a field to chains that hold, in order, the rules that can still match there, each rule whole. A rule that is in
 * several of them counts in each. `leaf` makes the rules of a chain where it ends. Lists that are none are given back as they are.
 */
export function arrangeAsTree(
  images: readonly RuleImage[],
  slug: string,
  run: string,
  book: ChainBook,
  leaf: ArrangeLeaf = (rules) => rules,
): readonly RuleImage[] {
  if (images.length < SHORTEST) return images;
  const tree = new Tree(slug, run, book, leaf);
  const body = tree.body(images.map(listItem), LEVELS, images.length * COPIES, true);
  if (!body) return images;
  return [
    {
      name: `rules of ${slug}`,
      matches: [],
      count: false,
      verdict: { kind: 'jump', chain: book.chain(`${slug}_tree`, body, MOST_WAYS_OF_ALL) },
    },
  ];
}

type ArrangeLeaf = (rules: readonly RuleImage[]) => readonly RuleImage[];

class Tree {
  readonly #slug: string;
  readonly #run: string;
  readonly #book: ChainBook;
  readonly #leaf: ArrangeLeaf;
  #tops = 0;

  constructor(slug: string, run: string, book: ChainBook, leaf: ArrangeLeaf) {
    this.#slug = slug;
    this.#run = run;
    this.#book = book;
    this.#leaf = leaf;
  }

  /** A chain that goes through the items, with so many copies of them at most; undefined where taking them apart gains nothing. */
  body(items: readonly ListItem[], levels: number, copies: number, top: boolean): RuleImage[] | undefined {
    if (items.length <= LEAF || levels === 0) return undefined;
    const split = bestSplit(items, LEAF, Math.floor(items.length + copies * SHARE));
    if (!split) return undefined;
    const left = copies - Math.max(0, split.total - items.length);
    const share = (list: readonly ListItem[]): number => (left * list.length) / split.total;
    const { field, parts, others } = split;
    const elements = parts.map(({ from, to, items: inside }): MapElement => {
      const rules = this.body(inside, levels - 1, share(inside), false) ?? this.#leaf(inside.map((item) => item.image));
      return { from, to, verdict: { kind: 'goto', chain: this.#book.chain(this.#slug, rules, MOST_WAYS_OF_ALL) } };
    });
    // The map at the top keeps its name, so that a change of one rule changes elements of it; the smaller ones are as their elements are.
    const map = top
      ? `${this.#slug}_${this.#run}_${field}_${this.#tops++}`
      : `${this.#slug}_${field}_${fingerprint(elements).slice(0, 12)}`;
    this.#book.map({ name: map, field, elements });
    const rest = this.body(others, levels, share(others), top) ?? this.#leaf(others.map((item) => item.image));
    return [{ name: describeSplit(field), matches: [], count: false, verdict: { kind: 'map', map, field } }, ...rest];
  }
}
