import type { Family } from '@weir/wire/inet';
import type { ChainImage, LookupElement, LookupImage, MapImage, RuleImage } from '../../image.ts';
import { ChainBook } from '../chains.ts';
import type { KeyedRule } from '../key-box.ts';
import { LayerMemo } from '../layer-memo.ts';
import { type Layers, layersOf } from '../layers.ts';
import { arrangeInMaps } from '../lookups.ts';
import { askedMaps, reachable } from '../reachable.ts';
import { comparePrefixes, type Side, type SidePrefix } from './prefix-of.ts';
import type { Unit } from './unit.ts';

/** So many rules stand one after another; more are looked up by their fields. */
const MOST_LISTED = 16;
const SIDES: readonly Side[] = ['destination', 'source'];

/** Fragments that are not the first have chains of their own. */
export type Packets = 'whole' | 'later';

/** What lists lead to. */
export interface Parts {
  readonly chains: ChainImage[];
  readonly maps: MapImage[];
  readonly lookups: LookupImage[];
}

/** Flow rules with one prefix, and what they came to. */
interface Group {
  readonly units: readonly Unit[];
  readonly parts: Parts;
  readonly element: LookupElement;
}

/** What groups came to last, by the name of their chain: those whose rules are the same are not arranged again. */
export class GroupMemo {
  #groups = new Map<string, Group>();
  #now = new Map<string, Group>();
  #layers = new Map<string, LayerMemo>();

  begin(): void {
    this.#now = new Map();
  }

  end(): void {
    this.#groups = this.#now;
  }

  group(name: string, units: readonly Unit[], make: () => Group): Group {
    const known = this.#groups.get(name);
    const same = known && known.units.length === units.length && units.every((unit, i) => unit === known.units[i]);
    const group = same ? known : make();
    this.#now.set(name, group);
    return group;
  }

  layersOf(name: string, rules: readonly KeyedRule[]): Layers | undefined {
    const known = this.#layers.get(name);
    const layers = known ? known.layersOf(rules) : layersOf(rules);
    if (layers) this.#layers.set(name, new LayerMemo(rules, layers));
    else this.#layers.delete(name);
    return layers;
  }
}

/**
 * Lists of flow rules. In their order rules with a destination come first, those of the longer prefix before those of one that it lies in: so a map for each length of prefix, the
 * longest first, leads to the rules of one prefix, and the others come behind. A change is in the chain of its prefix, and a packet looks at few rules however many there are.
 * Within one destination it is the same with the source.
 */
export class FlowGroups {
  readonly #packets: Packets;
  readonly #memo: GroupMemo;

  constructor(packets: Packets, memo: GroupMemo) {
    this.#packets = packets;
    this.#memo = memo;
  }

  /** The rules that lead to these units in their order. */
  list(name: string, units: readonly Unit[], parts: Parts, sides: readonly Side[] = SIDES): readonly RuleImage[] {
    const [side, ...others] = sides;
    if (side === undefined || (side === 'source' && units.length <= MOST_LISTED) || !isInOrder(units, side))
      return this.#flat(name, units, parts);
    const lengths = new Map<string, { readonly family: Family; readonly length: number; readonly groups: Map<string, Unit[]> }>();
    const rest: Unit[] = [];
    for (const unit of units) {
      const at = unit.prefix[side];
      if (!at) {
        rest.push(unit);
        continue;
      }
      const { family, length } = at.prefix;
      const key = `${family} ${length}`;
      const known = lengths.get(key) ?? { family, length, groups: new Map<string, Unit[]>() };
      lengths.set(key, known);
      const group = known.groups.get(at.text);
      if (group) group.push(unit);
      else known.groups.set(at.text, [unit]);
    }
    const sorted = [...lengths.values()].sort((a, b) => a.family - b.family || b.length - a.length);
    const lookups = sorted.map(({ family, length, groups }): RuleImage => {
      const field = `${side === 'source' ? 'saddr' : 'daddr'}${family}` as const;
      const map = `${name}_${field}_${length}`;
      const elements: LookupElement[] = [];
      for (const [text, group] of groups)
        elements.push(this.#group(`${name}_${groupName(side, text, length)}`, text, group, parts, others));
      parts.lookups.push({ name: map, keys: [field], ranges: false, elements });
      const keys = [field];
      return { name: `by ${side}, ${length} bits`, matches: [], count: false, verdict: { kind: 'lookup', map, keys, bits: length } };
    });
    return [...lookups, ...(rest.length === 0 ? [] : this.list(name, rest, parts, others))];
  }

  #group(name: string, text: string, units: readonly Unit[], parts: Parts, sides: readonly Side[]): LookupElement {
    const group = this.#memo.group(name, units, () => {
      const own: Parts = { chains: [], maps: [], lookups: [] };
      const rules = this.list(name, units, own, sides);
      own.chains.push({ name, hook: undefined, rules });
      return { units, parts: own, element: { key: [[text, text]], verdict: { kind: 'jump', chain: name } } };
    });
    for (const chain of group.parts.chains) parts.chains.push(chain);
    for (const map of group.parts.maps) parts.maps.push(map);
    for (const lookup of group.parts.lookups) parts.lookups.push(lookup);
    return group.element;
  }

  #flat(name: string, units: readonly Unit[], parts: Parts): readonly RuleImage[] {
    const images = units.flatMap((unit) => unit[this.#packets]);
    if (images.length <= MOST_LISTED) return images;
    const book = new ChainBook();
    const rules = arrangeInMaps(images, name, 0, book, (keyed) => this.#memo.layersOf(name, keyed));
    const chains = reachable(book.chains, [...book.maps, ...book.lookups], [{ rules }]);
    const asked = askedMaps([...chains, { rules }]);
    parts.chains.push(...chains);
    parts.maps.push(...book.maps.filter((map) => asked.has(map.name)));
    parts.lookups.push(...book.lookups.filter((map) => asked.has(map.name)));
    return rules;
  }
}

/** `to_192.0.2.0_24`: a name that nft reads. */
function groupName(side: Side, text: string, length: number): string {
  return `${side === 'source' ? 'from' : 'to'}_${text.replaceAll(':', '-')}_${length}`;
}

/** Whether rules with a prefix on this side come before those without, and in the order of their prefixes: then what their order says is kept where they are taken apart. */
function isInOrder(units: readonly Unit[], side: Side): boolean {
  const before: { [F in Family]?: SidePrefix } = {};
  let open = false;
  const others = new Set<Family>();
  for (const { prefix, family } of units) {
    const at = prefix[side];
    if (!at) {
      if (family === undefined) open = true;
      else others.add(family);
      continue;
    }
    const last = before[at.prefix.family];
    if (open || others.has(at.prefix.family) || (last && comparePrefixes(last, at) > 0)) return false;
    before[at.prefix.family] = at;
  }
  return true;
}
