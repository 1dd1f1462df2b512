import type { FieldRange, RuleImage } from '../image.ts';
import { comparable } from './field-index.ts';
import type { Axis, KeyBox, KeyedRule } from './key-box.ts';
import { type Layers, layersOf, MOST_PAIRS } from './layers.ts';

/** More changed rules than this, or more rules whose layers may be others, and the layers are found anew. */
const MOST_CHANGED = 64;
const MOST_AFFECTED = 256;

/** The layers that a list had last. Where few rules of it change, only the rules that packets can meet together with them are looked at. */
export class LayerMemo {
  readonly #rules: readonly KeyedRule[];
  readonly #layers: Layers;

  constructor(rules: readonly KeyedRule[], layers: Layers) {
    this.#rules = rules;
    this.#layers = layers;
  }

  /** What `layersOf` finds. */
  layersOf(rules: readonly KeyedRule[]): Layers | undefined {
    return this.#changed(rules) ?? layersOf(rules);
  }

  #changed(rules: readonly KeyedRule[]): Layers | undefined {
    const before = this.#rules;
    const most = Math.min(rules.length, before.length);
    let head = 0;
    while (head < most && rules[head]?.image === before[head]?.image) head++;
    let tail = 0;
    while (tail < most - head && rules[rules.length - 1 - tail]?.image === before[before.length - 1 - tail]?.image) tail++;
    const end = rules.length - tail;
    const shift = before.length - rules.length;
    /** Rules that are not what they were, or not where they were: what lies behind them may lie in other layers. */
    const changed = [...before.slice(head, before.length - tail), ...rules.slice(head, end)];
    // Whether there are layers at all is decided by the pairs that are looked at: far from the bound, for which they would have to be counted, it stays as it was.
    const pairs = this.#layers.pairs + changed.length * rules.length * 2;
    if (changed.length > MOST_CHANGED || pairs > MOST_PAIRS / 4) return undefined;
    const old = this.#layers.of;
    const of = new Int32Array(rules.length);
    of.set(old.subarray(0, head));
    const around = changed.flatMap(placesOf);
    let affected = 0;
    let moved = changed.length;
    for (let i = head; i < rules.length; i++) {
      const rule = rules[i];
      if (!rule) continue;
      const known = i < end ? undefined : old[i + shift];
      if (known !== undefined && !meetsOne(placesOf(rule), around)) {
        of[i] = known;
        continue;
      }
      if (++affected > MOST_AFFECTED) return undefined;
      const layer = layerAfter(rule, rules, i, of);
      of[i] = layer;
      if (known === undefined || known === layer) continue;
      if (++moved > MOST_CHANGED) return undefined;
      around.push(...placesOf(rule));
    }
    return { of, pairs };
  }
}

/** The first layer that lies behind those of all rules before it that packets can meet too. */
function layerAfter(rule: KeyedRule, rules: readonly KeyedRule[], index: number, layers: Int32Array): number {
  let layer = 0;
  const own = placesOf(rule);
  for (let i = 0; i < index; i++) {
    const other = rules[i];
    const above = layers[i] ?? 0;
    if (other && above >= layer && meetsOne(own, placesOf(other))) layer = above + 1;
  }
  return layer;
}

/** Numbers, of IPv6 addresses big integers that lie behind those of IPv4: the lowest and the highest on each axis. */
type Extent = readonly (number | bigint)[];

interface Place {
  readonly extent: Extent;
  readonly in: FieldRange[0] | undefined;
  readonly out: FieldRange[0] | undefined;
}

const places = new WeakMap<RuleImage, readonly Place[]>();

/** Whether a packet can meet keys of both. */
function meetsOne(own: readonly Place[], others: readonly Place[]): boolean {
  for (const one of own) for (const other of others) if (overlap(one, other)) return true;
  return false;
}

function overlap(a: Place, b: Place): boolean {
  const [x, y] = [a.extent, b.extent];
  for (let k = 0; k < x.length; k += 2) {
    if ((x[k] ?? 0) > (y[k + 1] ?? 0) || (y[k] ?? 0) > (x[k + 1] ?? 0)) return false;
  }
  return (a.in === undefined || b.in === undefined || a.in === b.in) && (a.out === undefined || b.out === undefined || a.out === b.out);
}

function placesOf(rule: KeyedRule): readonly Place[] {
  const known = places.get(rule.image);
  if (known) return known;
  const made = rule.boxes.map((box): Place => ({ extent: extentOf(rule, box), in: box.in?.[0], out: box.out?.[0] }));
  places.set(rule.image, made);
  return made;
}

function extentOf({ addresses: family, transport: protocol }: KeyedRule, box: KeyBox): Extent {
  const addresses = (axis: Axis): Extent => {
    const range = box[axis];
    if (range) return [addressOf(range[0]), addressOf(range[1])];
    return [family === 6 ? FIRST6 : 0, family === 4 ? FIRST6 - 1 : Number.POSITIVE_INFINITY];
  };
  const numbers = (axis: Axis, any: Extent): Extent => {
    const range = box[axis];
    return range ? [Number(range[0]), Number(range[1])] : any;
  };
  return [
    ...numbers('dport', [0, 0xffff]),
    ...addresses('source'),
    ...addresses('destination'),
    ...numbers('protocol', protocol === undefined ? [0, 0xff] : [protocol, protocol]),
    ...numbers('sport', [0, 0xffff]),
  ];
}

const FIRST6 = 2 ** 32;

function addressOf(value: FieldRange[0]): number | bigint {
  const found = comparable(value);
  return String(value).includes(':') ? BigInt(found) + BigInt(FIRST6) : found;
}
