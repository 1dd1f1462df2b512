import type { FieldRange } from '../image.ts';
import { comparable } from './field-index.ts';
import { AXES, type Axis, type KeyBox, type KeyedRule } from './key-box.ts';

/** Numbers of one box: the lowest and the highest on each axis. */
const WIDTH = AXES.length * 2;
/** The axes that most rules can be told apart by. */
const TELLING = [AXES.indexOf('source'), AXES.indexOf('destination'), AXES.indexOf('dport')] as const;
/** Boxes in as many buckets of an axis are in each of them; wider ones stand beside all buckets. */
const MOST_BUCKETS = 4;
const BUCKETS = 512;
/** Where rules lie over each other so much that more pairs would have to be looked at, there are no layers. */
export const MOST_PAIRS = 60_000_000;

/** The layer of each rule, and how many pairs of keys had to be looked at for it, or more. */
export interface Layers {
  readonly of: Int32Array;
  readonly pairs: number;
}

/**
 * Layers of a list: no packet meets the keys of two rules of one layer, and of two rules that a packet can meet the keys of both, the one that comes first lies in the layer
 * that comes first. Layer after layer, rules are met in the order in which they stand. Undefined where finding out takes too long.
 */
export function layersOf(rules: readonly KeyedRule[]): Layers | undefined {
  const space = new Space(rules);
  const layers = new Int32Array(rules.length);
  const boxes = new Int32Array(WIDTH * rules.reduce((sum, rule) => sum + rule.boxes.length, 0));
  const owners: number[] = [];
  const indexes = TELLING.map((axis) => new AxisIndex(axis, space.highest[axis] ?? 0));
  let pairs = 0;
  for (const [i, rule] of rules.entries()) {
    const start = owners.length;
    let layer = 0;
    for (const [b, box] of rule.boxes.entries()) {
      const at = (start + b) * WIDTH;
      space.write(rule, box, boxes, at);
      const lists = fewest(indexes, boxes, at);
      for (const list of lists ?? [undefined]) {
        const count = list ? list.length : start;
        pairs += count;
        for (let k = 0; k < count; k++) {
          const other = list ? (list[k] as number) : k;
          const above = layers[owners[other] as number] as number;
          if (above >= layer && meet(boxes, at, other * WIDTH)) layer = above + 1;
        }
      }
    }
    if (pairs > MOST_PAIRS) return undefined;
    layers[i] = layer;
    for (let b = 0; b < rule.boxes.length; b++) {
      for (const index of indexes) index.add(owners.length, boxes, (start + b) * WIDTH);
      owners.push(i);
    }
  }
  return { of: layers, pairs };
}

function meet(boxes: Int32Array, a: number, b: number): boolean {
  for (let k = 0; k < WIDTH; k += 2) {
    if ((boxes[a + k] as number) > (boxes[b + k + 1] as number) || (boxes[b + k] as number) > (boxes[a + k + 1] as number)) return false;
  }
  return true;
}

/** The shortest lists that hold every box that this one can meet; undefined: all of them. */
function fewest(indexes: readonly AxisIndex[], boxes: Int32Array, at: number): readonly (readonly number[])[] | undefined {
  let best: readonly (readonly number[])[] | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const index of indexes) {
    const lists = index.near(boxes, at);
    const count = lists?.reduce((sum, list) => sum + list.length, 0) ?? Number.POSITIVE_INFINITY;
    if (count < least) {
      least = count;
      best = lists;
    }
  }
  return best;
}

/** Boxes by where they lie on one axis. */
class AxisIndex {
  readonly #axis: number;
  readonly #shift: number;
  readonly #buckets: number[][] = [];
  readonly #wide: number[] = [];

  constructor(axis: number, highest: number) {
    this.#axis = axis;
    this.#shift = Math.max(0, 32 - Math.clz32(highest) - Math.log2(BUCKETS));
  }

  add(box: number, boxes: Int32Array, at: number): void {
    const [from, to] = this.#span(boxes, at);
    if (to - from >= MOST_BUCKETS) this.#wide.push(box);
    else {
      for (let k = from; k <= to; k++) {
        const bucket = this.#buckets[k];
        if (bucket) bucket.push(box);
        else this.#buckets[k] = [box];
      }
    }
  }

  near(boxes: Int32Array, at: number): readonly (readonly number[])[] | undefined {
    const [from, to] = this.#span(boxes, at);
    if (to - from >= MOST_BUCKETS) return undefined;
    const out: (readonly number[])[] = [this.#wide];
    for (let k = from; k <= to; k++) out.push(this.#buckets[k] ?? []);
    return out;
  }

  #span(boxes: Int32Array, at: number): readonly [number, number] {
    const k = at + this.#axis * 2;
    return [(boxes[k] as number) >>> this.#shift, (boxes[k + 1] as number) >>> this.#shift];
  }
}

/** Axes whose values are numbered as they are asked for: buckets are even then. */
const RANKED: readonly Axis[] = ['source', 'destination', 'sport', 'dport'];
const ADDRESSES = new Set<Axis>(['source', 'destination']);
const HIGHEST6 = (1n << 128n) - 1n;

/** Values as numbers in their order: addresses and ports by their rank, IPv6 after IPv4, names as they come. */
class Space {
  /** On each axis. */
  readonly highest: readonly number[];
  readonly #ranks = new Map<Axis, { readonly of: ReadonlyMap<number | bigint, number>; readonly first6: number; readonly last: number }>();
  readonly #names = new Map<string, number>();
  readonly #addresses = new Map<FieldRange[0], number | bigint>();

  constructor(rules: readonly KeyedRule[]) {
    for (const axis of RANKED) {
      const addresses = ADDRESSES.has(axis);
      const v4 = new Set<number>([0, addresses ? 0xffffffff : 0xffff]);
      const v6 = new Set<bigint>(addresses ? [0n, HIGHEST6] : []);
      for (const { boxes } of rules) {
        for (const box of boxes) {
          for (const end of box[axis] ?? []) {
            const value = this.#number(end);
            if (typeof value === 'number') v4.add(value);
            else v6.add(value);
          }
        }
      }
      const sorted = [...Float64Array.from(v4).sort(), ...[...v6].sort((a, b) => (a < b ? -1 : 1))];
      this.#ranks.set(axis, { of: new Map(sorted.map((value, i) => [value, i])), first6: v4.size, last: sorted.length - 1 });
    }
    this.highest = AXES.map((axis) => this.#ranks.get(axis)?.last ?? 0xff);
  }

  /** Only what the key itself says counts: two elements of a map have to be apart by it. */
  write({ addresses, transport }: KeyedRule, box: KeyBox, out: Int32Array, at: number): void {
    for (const [k, axis] of AXES.entries()) {
      const [low, high] = this.#ends(axis, box[axis], addresses, transport);
      out[at + k * 2] = low;
      out[at + k * 2 + 1] = high;
    }
  }

  #ends(axis: Axis, range: FieldRange | undefined, family: 4 | 6 | undefined, protocol: number | undefined): readonly [number, number] {
    switch (axis) {
      case 'in':
      case 'out': {
        if (!range) return [0, 0x7fffffff];
        const name = this.#name(String(range[0]));
        return [name, name];
      }
      case 'source':
      case 'destination':
      case 'sport':
      case 'dport': {
        const ranks = this.#ranks.get(axis);
        if (!ranks) throw new RangeError(axis);
        if (range) return [ranks.of.get(this.#number(range[0])) ?? 0, ranks.of.get(this.#number(range[1])) ?? ranks.last];
        if (!ADDRESSES.has(axis)) return [0, ranks.last];
        return [family === 6 ? ranks.first6 : 0, family === 4 ? ranks.first6 - 1 : ranks.last];
      }
      case 'protocol':
        return range ? [Number(range[0]), Number(range[1])] : protocol === undefined ? [0, 0xff] : [protocol, protocol];
    }
  }

  #name(name: string): number {
    const known = this.#names.get(name) ?? this.#names.size + 1;
    this.#names.set(name, known);
    return known;
  }

  /** An address is read once. */
  #number(value: FieldRange[0]): number | bigint {
    if (typeof value === 'number') return value;
    const known = this.#addresses.get(value);
    if (known !== undefined) return known;
    const found = comparable(value);
    const made = String(value).includes(':') ? BigInt(found) : Number(found);
    this.#addresses.set(value, made);
    return made;
  }
}
