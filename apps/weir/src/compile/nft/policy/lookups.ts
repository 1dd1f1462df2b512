import { fingerprint } from '../fingerprint.ts';
import type { FieldRange, LookupElement, MapElement, MapKey, RuleImage } from '../image.ts';
import { printKeys } from '../map-keys.ts';
import { type ChainBook, hasRoom, MOST_WAYS_OF_ALL, slugOf } from './chains.ts';
import { comparable } from './field-index.ts';
import { AXES, type Axis, canBeLedTo, everyValue, isExact, type KeyBox, type KeyedRule, keyedRule, keyField } from './key-box.ts';
import { type Layers, layersOf } from './layers.ts';
import { arrangeAsTree, TREE_DEPTH } from './tree.ts';

/** So many elements make a map worth its lookup, which takes as long as three to five rules. */
const LEAST = 8;
/** So many rules that ask for single values of the same fields have a map of their own, beside those that ask for ranges. */
const OWN_MAP = 64;

/** Rules that lie so deep that so many chains around them would be too many are not led to. */
const DEEPER = 4;
/** A list that takes more lookups and rules than these is a tree first. */
const MOST_STEPS = 16;
/** A shorter leaf of a tree stays as it is. */
const LEAST_LEAF = 32;

type KindOf = (rule: KeyedRule) => string | undefined;

/** Rules of one layer that one map can hold. */
interface Pool {
  readonly keys: readonly MapKey[];
  readonly axes: readonly Axis[];
  readonly ranges: boolean;
  readonly rules: readonly KeyedRule[];
}

/** A list in pieces that follow each other: maps, and what stands between them. */
interface Plan {
  readonly layers: readonly { readonly pools: readonly Pool[]; readonly others: readonly KeyedRule[] }[];
  /** Lookups and rules that a packet comes past that meets none. */
  readonly steps: number;
}

/** Says how a map is called whose name begins so. */
type NameMap = (base: string, elements: readonly LookupElement[]) => string;
type FindLayers = (rules: readonly KeyedRule[]) => Layers | undefined;

/**
 * A list in which rules that ask for values of the same fields are elements of maps: one lookup instead of one rule after another. Each element leads to a chain of its rule,
 * which has the rule's counter and what a key cannot say. Rules that packets can meet together lie in different maps, in their order; what is too little for a map, or
 * has no key, stays a rule between them. Where that takes many maps the list is a tree first, and its leaves are maps.
 */
export function arrangeInMaps(
  images: readonly RuleImage[],
  slug: string,
  run: number,
  book: ChainBook,
  findLayers: FindLayers = layersOf,
): readonly RuleImage[] {
  const plan = planOf(images, book, DEEPER, findLayers);
  if (!plan) return arrangeAsTree(images, slug, String(run), book);
  if (plan.steps > MOST_STEPS) {
    const tree = arrangeAsTree(images, slug, String(run), book, (leaf) => arrangeLeaf(leaf, slug, book));
    if (tree !== images) return tree;
  }
  const names = new Map<string, number>();
  // A map keeps its name when others come before it, so that a change of one rule changes elements of it.
  const nameMap: NameMap = (base) => {
    const number = names.get(base) ?? 0;
    names.set(base, number + 1);
    return `${base}_${number}`;
  };
  let pieces = 0;
  return write(plan, slug, `${slug}_${run}`, book, nameMap, (between) => {
    const piece = pieces++;
    return arrangeAsTree(between, slug, piece === 0 ? String(run) : `${run}_${piece}`, book);
  });
}

/** The rules of a tree's leaf: maps that are called after what is in them, as the chains are. */
function arrangeLeaf(images: readonly RuleImage[], slug: string, book: ChainBook): readonly RuleImage[] {
  if (images.length < LEAST_LEAF) return images;
  const plan = planOf(images, book, TREE_DEPTH, layersOf);
  if (!plan) return images;
  const nameMap: NameMap = (base, elements) => `${base}_${fingerprint(elements).slice(0, 12)}`;
  return write(plan, slug, slug, book, nameMap, (between) => between);
}

/** Undefined where there is nothing for a map: the order in which rules are written is the better one to read then. */
function planOf(images: readonly RuleImage[], book: ChainBook, deeper: number, findLayers: FindLayers): Plan | undefined {
  if (images.length < LEAST) return undefined;
  const rules = images.map(keyedRule);
  const kindOf = (rule: KeyedRule): string | undefined => (hasRoom(book.shapeOf([rule.image]), deeper, 1) ? kindOfKey(rule) : undefined);
  const found = canHaveMaps(rules, kindOf) ? findLayers(rules) : undefined;
  if (!found) return undefined;
  const layers = byLayer(rules, found.of).map((layer) => poolsOf(layer, kindOf));
  const maps = layers.reduce((sum, { pools }) => sum + pools.length, 0);
  if (maps === 0) return undefined;
  return { layers, steps: layers.reduce((sum, { others }) => sum + others.length, maps) };
}

function write(
  { layers }: Plan,
  slug: string,
  prefix: string,
  book: ChainBook,
  nameMap: NameMap,
  arrange: (between: readonly RuleImage[]) => readonly RuleImage[],
): readonly RuleImage[] {
  const out: RuleImage[] = [];
  let between: RuleImage[] = [];
  for (const { pools, others } of layers) {
    if (pools.length > 0) {
      out.push(...arrange(between));
      between = [];
    }
    for (const pool of pools) out.push(lookup(pool, slug, prefix, book, nameMap));
    between.push(...others.map((rule) => rule.image));
  }
  return [...out, ...arrange(between)];
}

/** Whether there are enough rules with one kind of key. */
function canHaveMaps(rules: readonly KeyedRule[], kindOf: KindOf): boolean {
  const counts = new Map<string, number>();
  for (const rule of rules) {
    const kind = kindOf(rule);
    if (kind === undefined) continue;
    const count = (counts.get(kind) ?? 0) + rule.boxes.length;
    if (count >= LEAST) return true;
    counts.set(kind, count);
  }
  return false;
}

/** Rules of one kind can be in one map: their packets have all that its key looks at. Undefined for rules without a key. */
function kindOfKey({ boxes, reach, addresses, transport, image }: KeyedRule): string | undefined {
  const [box] = boxes;
  if (!box || Object.keys(box).length === 0 || !canBeLedTo(image)) return undefined;
  return `${box.in ? 'in' : ''} ${box.out ? 'out' : ''} ${addresses ?? ''} ${reach} ${transport ?? ''}`;
}

function byLayer(rules: readonly KeyedRule[], layers: Int32Array): KeyedRule[][] {
  const out: KeyedRule[][] = [];
  for (const [i, rule] of rules.entries()) {
    const layer = layers[i] as number;
    const list = out[layer];
    if (list) list.push(rule);
    else out[layer] = [rule];
  }
  return out;
}

function poolsOf(layer: readonly KeyedRule[], kindOf: KindOf): { readonly pools: readonly Pool[]; readonly others: readonly KeyedRule[] } {
  const pools: Pool[] = [];
  const others: KeyedRule[] = [];
  if (layer.length === 0) return { pools, others };
  for (const [kind, list] of groups(layer, kindOf)) {
    const left = new Set(list);
    const take = (some: readonly KeyedRule[]): void => {
      pools.push(poolOf(some));
      for (const rule of some) left.delete(rule);
    };
    if (kind !== undefined) {
      for (const [shape, some] of groups(list, exactShape)) if (shape !== undefined && some.length >= OWN_MAP) take(some);
      if (isWorthAMap([...left])) take([...left]);
    }
    others.push(...left);
  }
  return { pools, others: others.sort((a, b) => a.index - b.index) };
}

function groups(list: readonly KeyedRule[], by: (rule: KeyedRule) => string | undefined): ReadonlyMap<string | undefined, KeyedRule[]> {
  const out = new Map<string | undefined, KeyedRule[]>();
  for (const rule of list) {
    const key = by(rule);
    const known = out.get(key);
    if (known) known.push(rule);
    else out.set(key, [rule]);
  }
  return out;
}

/** The fields of a rule that asks for single values only. */
function exactShape({ boxes }: KeyedRule): string | undefined {
  if (!boxes.every((box) => AXES.every((axis) => box[axis] === undefined || isExact(box[axis])))) return undefined;
  return AXES.filter((axis) => boxes[0]?.[axis]).join(' ');
}

function isWorthAMap(list: readonly KeyedRule[]): boolean {
  return list.reduce((sum, { boxes }) => sum + boxes.length, 0) >= LEAST;
}

function poolOf(rules: readonly KeyedRule[]): Pool {
  const [one] = rules;
  const axes = AXES.filter((axis) => rules.some(({ boxes }) => boxes[0]?.[axis]));
  const ranges = rules.some(({ boxes }) => boxes.some((box) => axes.some((axis) => !box[axis] || !isExact(box[axis]))));
  return { keys: axes.map((axis) => keyField(axis, one?.addresses, one?.transport)), axes, ranges, rules };
}

function lookup(pool: Pool, slug: string, prefix: string, book: ChainBook, nameMap: NameMap): RuleImage {
  const { keys, ranges, rules } = pool;
  const elements = rules.flatMap((rule) => elementsOf(rule, pool, leadTo(rule, slug, book)));
  // One part with ranges is kept in order.
  if (keys.length === 1 && ranges) elements.sort((a, b) => compareKeys(a.key, b.key));
  const map = nameMap(`${prefix}_${keys.join('_')}_${ranges ? 'ranges' : 'values'}`, elements);
  book.lookup({ name: map, keys, ranges, elements });
  return { name: `by ${printKeys(keys)}`, matches: [], count: false, verdict: { kind: 'lookup', map, keys } };
}

interface Elements {
  readonly keys: string;
  readonly verdict: MapElement['verdict'];
  readonly elements: readonly LookupElement[];
}

/** What an image was in a map last: the same objects, so that what stays of a map is known at once. */
const elementsBefore = new WeakMap<RuleImage, Elements>();

function elementsOf({ image, boxes }: KeyedRule, { axes, keys }: Pool, verdict: MapElement['verdict']): readonly LookupElement[] {
  const known = elementsBefore.get(image);
  const same = known && known.keys === keys.join() && known.verdict.kind === verdict.kind && known.verdict.chain === verdict.chain;
  if (same) return known.elements;
  const elements = boxes.map((box): LookupElement => ({ key: keyOf(box, axes, keys), verdict }));
  elementsBefore.set(image, { keys: keys.join(), verdict, elements });
  return elements;
}

function keyOf(box: KeyBox, axes: readonly Axis[], keys: readonly MapKey[]): readonly FieldRange[] {
  return keys.map((key, i) => box[axes[i] as Axis] ?? everyValue(key));
}

function compareKeys([a]: readonly FieldRange[], [b]: readonly FieldRange[]): number {
  const [x, y] = [comparable(a?.[0] ?? 0), comparable(b?.[0] ?? 0)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** The chain of a rule, without what its key says. Where it may not end there, it comes back. */
function leadTo({ image, rest }: KeyedRule, slug: string, book: ChainBook): MapElement['verdict'] {
  const { verdict, statements = [] } = image;
  if (rest.length === 0 && statements.length === 0 && image.count === false && (verdict.kind === 'jump' || verdict.kind === 'goto')) {
    return { kind: verdict.kind, chain: verdict.chain };
  }
  const ends = verdict.kind === 'accept' || verdict.kind === 'drop' || verdict.kind === 'reject';
  const chain = book.chain(`${slug}_${slugOf(image.name)}`, [ledTo(image, rest)], MOST_WAYS_OF_ALL);
  return { kind: ends && rest.length === 0 ? 'goto' : 'jump', chain };
}

/** One object for each image, whose fingerprint is known then. */
const led = new WeakMap<RuleImage, RuleImage>();

function ledTo(image: RuleImage, rest: RuleImage['matches']): RuleImage {
  const known = led.get(image);
  if (known) return known;
  const made = { ...image, matches: rest };
  led.set(image, made);
  return made;
}
