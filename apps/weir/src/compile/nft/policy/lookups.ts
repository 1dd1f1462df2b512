import type { FieldRange, LookupElement, MapElement, MapKey, RuleImage } from '../image.ts';
import { printKeys } from '../map-keys.ts';
import { type ChainBook, hasRoom, MOST_WAYS_OF_ALL, slugOf } from './chains.ts';
import { comparable } from './field-index.ts';
import { AXES, type Axis, canBeLedTo, everyValue, isExact, type KeyBox, type KeyedRule, keyedRule, keyField } from './key-box.ts';
import { type Layers, layersOf } from './layers.ts';
import { arrangeAsTree } from './tree.ts';

/** So many elements make a map worth its lookup, which takes as long as three to five rules. */
const LEAST = 8;
/** So many rules that ask for single values of the same fields have a map of their own, beside those that ask for ranges. */
const OWN_MAP = 64;

/** Rules that lie so deep that more chains around them would be too many are not led to. */
const DEEPER = 4;

type KindOf = (rule: KeyedRule) => string | undefined;

/** Rules of one layer that one map can hold. */
interface Pool {
  readonly keys: readonly MapKey[];
  readonly axes: readonly Axis[];
  readonly ranges: boolean;
  readonly rules: readonly KeyedRule[];
}

/**
 * A list in which rules that ask for values of the same fields are elements of maps: one lookup instead of one rule after another. Each element leads to a chain of its rule,
 * which has the rule's counter and what a key cannot say. Rules that packets can meet together lie in different maps, in their order; what is too little for a map, or
 * has no key, stays a rule between them; many of these are a tree.
 */
export function arrangeInMaps(
  images: readonly RuleImage[],
  slug: string,
  run: number,
  book: ChainBook,
  findLayers: (rules: readonly KeyedRule[]) => Layers | undefined = layersOf,
): readonly RuleImage[] {
  const rest = (some: readonly RuleImage[], piece: number): readonly RuleImage[] =>
    arrangeAsTree(some, slug, piece === 0 ? String(run) : `${run}_${piece}`, book);
  if (images.length < LEAST) return rest(images, 0);
  const rules = images.map(keyedRule);
  const kindOf = (rule: KeyedRule): string | undefined => (hasRoom(book.shapeOf([rule.image]), DEEPER, 1) ? kindOfKey(rule) : undefined);
  const layers = canHaveMaps(rules, kindOf) ? findLayers(rules) : undefined;
  if (!layers) return rest(images, 0);
  const out: RuleImage[] = [];
  const names = new Map<string, number>();
  let between: RuleImage[] = [];
  let pieces = 0;
  for (const layer of byLayer(rules, layers.of)) {
    const { pools, others } = poolsOf(layer, kindOf);
    if (pools.length > 0) {
      out.push(...rest(between, pieces++));
      between = [];
    }
    for (const pool of pools) out.push(lookup(pool, slug, run, book, names));
    between.push(...others.map((rule) => rule.image));
  }
  // Nothing came of it: the order in which they are written is the better one to read.
  if (out.length === 0) return rest(images, 0);
  return [...out, ...rest(between, pieces)];
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

function lookup(pool: Pool, slug: string, run: number, book: ChainBook, names: Map<string, number>): RuleImage {
  const { keys, axes, ranges, rules } = pool;
  const elements = rules.flatMap((rule) => {
    const verdict = leadTo(rule, slug, book);
    return rule.boxes.map((box): LookupElement => ({ key: keyOf(box, axes, keys), verdict }));
  });
  // One part with ranges is kept in order.
  if (keys.length === 1 && ranges) elements.sort((a, b) => compareKeys(a.key, b.key));
  // A map keeps its name when others come before it, so that a change of one rule changes elements of it.
  const base = `${slug}_${run}_${keys.join('_')}_${ranges ? 'ranges' : 'values'}`;
  const number = names.get(base) ?? 0;
  names.set(base, number + 1);
  const map = `${base}_${number}`;
  book.lookup({ name: map, keys, ranges, elements });
  return { name: `by ${printKeys(keys)}`, matches: [], count: false, verdict: { kind: 'lookup', map, keys } };
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
