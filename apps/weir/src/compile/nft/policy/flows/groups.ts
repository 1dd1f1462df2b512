import type { Family, Prefix } from '@weir/wire/inet';
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
  /** The chain whose list leads to it. */
  readonly parent: string;
  readonly units: readonly Unit[];
  readonly parts: Parts;
  readonly element: LookupElement;
}

/** More groups than so many times those that there are, and those that are gone are forgotten. */
export const MOST_KEPT = 2;

/** What groups came to last: those whose rules are the same are not arranged again. */
export class GroupMemo {
  /** By their first rule. */
  #groups: { readonly [S in Side]: Map<Unit, Group> } = { destination: new Map(), source: new Map() };
  readonly #layers = new Map<string, LayerMemo>();

  /** The group of `units` from one place to another. */
  known(side: Side, parent: string, units: readonly Unit[], from: number, to: number): Group | undefined {
    const first = units[from];
    const known = first && this.#groups[side].get(first);
    if (known?.parent !== parent || known.units.length !== to - from) return undefined;
    for (let i = from + 1; i < to; i++) if (units[i] !== known.units[i - from]) return undefined;
    return known;
  }

  keep(side: Side, group: Group): void {
    const [first] = group.units;
    if (first) this.#groups[side].set(first, group);
  }

  /** `inUse`: rules that there are. */
  prune(inUse: readonly Unit[]): void {
    const { destination, source } = this.#groups;
    if (destination.size + source.size <= MOST_KEPT * inUse.length + 1024) return;
    const units = new Set(inUse);
    for (const map of [destination, source]) for (const unit of [...map.keys()]) if (!units.has(unit)) map.delete(unit);
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
    const lengths = new Map<number, { readonly prefix: Prefix; readonly elements: LookupElement[] }>();
    const rest: Unit[] = [];
    for (let from = 0; from < units.length; ) {
      const at = units[from]?.prefix[side];
      let to = from + 1;
      // Rules with one prefix stand together.
      if (at) while (isSamePrefix(at, units[to]?.prefix[side])) to++;
      else rest.push(...units.slice(from, to));
      if (at) {
        const { prefix } = at;
        const key = prefix.family * 256 + prefix.length;
        const known = lengths.get(key) ?? { prefix, elements: [] };
        if (known.elements.length === 0) lengths.set(key, known);
        const group = this.#memo.known(side, name, units, from, to) ?? this.#group(side, name, at, units.slice(from, to), others);
        known.elements.push(group.element);
        for (const chain of group.parts.chains) parts.chains.push(chain);
        for (const map of group.parts.maps) parts.maps.push(map);
        for (const lookup of group.parts.lookups) parts.lookups.push(lookup);
      }
      from = to;
    }
    const sorted = [...lengths.values()].sort((a, b) => a.prefix.family - b.prefix.family || b.prefix.length - a.prefix.length);
    const lookups = sorted.map(({ prefix: { family, length }, elements }): RuleImage => {
      const field = `${side === 'source' ? 'saddr' : 'daddr'}${family}` as const;
      const map = `${name}_${field}_${length}`;
      const keys = [field];
      parts.lookups.push({ name: map, keys, ranges: false, elements });
      return { name: `by ${side}, ${length} bits`, matches: [], count: false, verdict: { kind: 'lookup', map, keys, bits: length } };
    });
    return [...lookups, ...(rest.length === 0 ? [] : this.list(name, rest, parts, others))];
  }

  #group(side: Side, parent: string, { text, prefix }: SidePrefix, units: readonly Unit[], sides: readonly Side[]): Group {
    const name = `${parent}_${groupName(side, text, prefix.length)}`;
    const own: Parts = { chains: [], maps: [], lookups: [] };
    const rules = this.list(name, units, own, sides);
    own.chains.push({ name, hook: undefined, rules });
    const group: Group = { parent, units, parts: own, element: { key: [[text, text]], verdict: { kind: 'jump', chain: name } } };
    this.#memo.keep(side, group);
    return group;
  }

  #flat(name: string, units: readonly Unit[], parts: Parts): readonly RuleImage[] {
    const images = units.flatMap((unit) => unit[this.#packets]);
    if (images.length <= MOST_LISTED) return images;
    const book = new ChainBook();
    const rules = arrangeInMaps(images, name, 0, book, (keyed) => this.#memo.layersOf(name, keyed));
    const chains = reachable(book.chains, [...book.maps, ...book.lookups], [{ rules }]);
    const asked = askedMaps([...chains, { rules }]);
    for (const chain of chains) parts.chains.push(chain);
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

function isSamePrefix(a: SidePrefix, b: SidePrefix | undefined): boolean {
  return b !== undefined && a.prefix.length === b.prefix.length && a.text === b.text;
}
