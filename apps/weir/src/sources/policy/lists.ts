import { ipSetOfPrefixes, type ListDefinition, type ListValues, type RangeSet, rangeSet } from '@weir/filter/ir';
import { BYTES, INT, IP } from '@weir/filter/scheme';
import { isHost, type Prefix, printIp, printPrefix } from '@weir/wire/inet';
import type { PortRange } from '../../model/firewall.ts';
import { quote as shown } from '../yaml/shape.ts';
import type { Place } from '../yaml/source-text.ts';
import { suggest } from '../yaml/suggest.ts';
import type { Report } from '../yaml/tree.ts';
import { isListName } from './leaves.ts';
import type { RawList } from './raw.ts';

/** What a named set holds. */
export type SetType = 'Ip' | 'Int' | 'Bytes';

export type List =
  | { readonly kind: 'set'; readonly type: SetType }
  | {
      readonly kind: 'constant';
      readonly values: RawList;
      /** The members as lowering wants them. */
      readonly typed: ListValues;
      /** As they stand between { and }. */
      readonly text: string;
      readonly members: number;
      readonly place: Place;
    };

const TYPES = { Ip: IP, Int: INT, Bytes: BYTES };
const PLURALS: { readonly [T in SetType]: string } = { Ip: 'prefixes', Int: 'numbers', Bytes: 'texts' };

/** The lists of the policy's files and the named sets of whoever loads it: what `$name` may stand for. */
export class Lists {
  readonly #lists = new Map<string, List>();
  readonly #definitions = new Map<string, ListDefinition>();
  readonly #elsewhere: ReadonlySet<string>;
  readonly #used = new Set<string>();
  #inlined = 0;

  /** `elsewhere` are sets that cannot be used. */
  constructor(sets: ReadonlyMap<string, SetType>, elsewhere: ReadonlySet<string>) {
    this.#elsewhere = elsewhere;
    for (const [name, type] of sets) {
      this.#lists.set(name, { kind: 'set', type });
      this.#definitions.set(name, { kind: 'named', type: TYPES[type] });
    }
  }

  /** How many members of constant lists were asked for so far: what stands in rules. */
  get inlined(): number {
    return this.#inlined;
  }

  /** As lowering wants them. */
  get definitions(): ReadonlyMap<string, ListDefinition> {
    return this.#definitions;
  }

  add(name: string, values: RawList, place: Place, report: Report): void {
    const first = this.#lists.get(name);
    if (first) {
      const where = first.kind === 'set' ? 'a set of the configuration' : `a list at ${lineOf(first.place)}`;
      report('E020', place, `$${name} is already ${where}`);
      return;
    }
    const members = values.type === 'Ip' ? values.prefixes.length : values.type === 'Int' ? values.ranges.length : values.texts.length;
    const typed = typedValues(values);
    this.#lists.set(name, { kind: 'constant', values, typed, text: printMembers(values), members, place });
    this.#definitions.set(name, { kind: 'constant', values: typed });
  }

  /** The list that a field names, of the type that the field needs; reports and returns undefined when there is none. */
  use(name: string, type: SetType, key: string, place: Place, report: Report): List | undefined {
    const list = this.find(name);
    if (!list) {
      this.reportUnknown(name, place, report);
      return undefined;
    }
    const own = list.kind === 'set' ? list.type : list.values.type;
    if (own === type) return list;
    report('E037', place, `$${name} has ${PLURALS[own]}, and ${key} needs ${PLURALS[type]}`);
    return undefined;
  }

  find(name: string): List | undefined {
    this.#used.add(name);
    const list = this.#lists.get(name);
    if (list?.kind === 'constant') this.#inlined += list.members;
    return list;
  }

  reportUnknown(name: string, place: Place, report: Report): void {
    if (this.#elsewhere.has(name)) {
      report(
        'E026',
        place,
        `${name} fills a table of the user (nft), so the owned table has no such set`,
        'leave its nft out to use it here',
      );
      return;
    }
    const near = suggest(name, this.#lists.keys());
    report(
      'E036',
      place,
      `no list or set is named ${name}`,
      near === undefined ? 'the sets of the daemon are known with --config FILE' : `did you mean $${near}?`,
    );
  }

  /** The named sets that were asked for. */
  setsInUse(): ReadonlySet<string> {
    return new Set([...this.#used].filter((name) => this.#lists.get(name)?.kind === 'set' || this.#elsewhere.has(name)));
  }

  reportUnused(report: Report): void {
    for (const [name, list] of this.#lists) {
      if (list.kind === 'constant' && isListName(name) && !this.#used.has(name))
        report('W012', list.place, `nothing uses the list ${shown(name)}`);
    }
  }
}

function lineOf(place: Place): string {
  return `${place.source.file}:${place.source.span(place.start, place.end).line}`;
}

function typedValues(values: RawList): ListValues {
  switch (values.type) {
    case 'Ip':
      return { type: 'Ip', set: ipSetOfPrefixes(values.prefixes) };
    case 'Int':
      return { type: 'Int', set: portSet(values.ranges) };
    case 'Bytes':
      return { type: 'Bytes', values: values.texts.map(octets) };
  }
}

const ENCODER = new TextEncoder();

export function octets(text: string): Uint8Array {
  return ENCODER.encode(text);
}

export function portSet(ranges: readonly PortRange[]): RangeSet {
  return rangeSet(ranges.map(({ from, to }) => ({ first: from, last: to })));
}

/** Members as they stand between `{` and `}`. */
function printMembers(values: RawList): string {
  switch (values.type) {
    case 'Ip':
      return values.prefixes.map(printMember).join(' ');
    case 'Int':
      return values.ranges.map(printRange).join(' ');
    case 'Bytes':
      return values.texts.map(printText).join(' ');
  }
}

export function printMember(prefix: Prefix): string {
  return isHost(prefix) ? printIp(prefix) : printPrefix(prefix);
}

export function printRange({ from, to }: PortRange): string {
  return from === to ? String(from) : `${from}..${to}`;
}

/** A string of the filter language. */
export function printText(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
