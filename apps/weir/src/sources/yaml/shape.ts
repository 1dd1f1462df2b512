import type { Place } from './source-text.ts';
import { suggest } from './suggest.ts';
import type { ConfigNode, Report } from './tree.ts';

/** What documentation and JSON output say about a shape. */
export interface ShapeDoc {
  /** One or two words: `duration`, `list of prefix`. */
  readonly type: string;
  /** The keys of a table, in the order they are documented. */
  readonly keys?: readonly KeyDoc[];
  /** What a list or a mapping of names holds. */
  readonly inner?: ShapeDoc;
}

export interface KeyDoc {
  readonly key: string;
  readonly summary: string;
  readonly required: boolean;
  /** As written in YAML; undefined where there is none. */
  readonly default: string | undefined;
  readonly shape: ShapeDoc;
}

/** How one value is read. `read` reports every mistake it finds and returns undefined when the value cannot be used. `label` is where to point when something is missing. */
export interface Shape<T> {
  readonly doc: ShapeDoc;
  read(node: ConfigNode, label: Place, report: Report): T | undefined;
}

export interface Field<T> {
  readonly shape: Shape<NonNullable<T>>;
  readonly summary: string;
  readonly required: boolean;
  readonly absent: T;
  readonly defaultText: string | undefined;
}

/** A mapping with known keys, read: the values, and where each was written. */
export interface Table<V> {
  readonly label: Place;
  readonly get: V;
  readonly at: { readonly [K in keyof V]?: Place };
  /** Whether the key was written, even if with a value that cannot be used. */
  has(key: keyof V): boolean;
  /** The place of a value, or of the table where it was not given. */
  place(key: keyof V): Place;
}

/** An element of a list, with its place. */
export interface Item<T> {
  readonly value: T;
  readonly place: Place;
}

/** A named entry, with the place of its name. */
export interface Named<T> {
  readonly name: string;
  readonly place: Place;
  readonly value: T;
}

export function required<T extends {}>(shape: Shape<T>, summary: string): Field<T | undefined> {
  return { shape: shape as Shape<NonNullable<T | undefined>>, summary, required: true, absent: undefined, defaultText: undefined };
}

export function optional<T extends {}>(shape: Shape<T>, summary: string, defaultText?: string): Field<T | undefined> {
  return { shape: shape as Shape<NonNullable<T | undefined>>, summary, required: false, absent: undefined, defaultText };
}

/** A field that is never undefined: a value that cannot be used is reported and counts as the default for the checks that follow. */
export function defaulted<T extends {}>(shape: Shape<T>, value: T, defaultText: string, summary: string): Field<T> {
  return { shape: shape as Shape<NonNullable<T>>, summary, required: false, absent: value, defaultText };
}

type Fields<V> = { readonly [K in keyof V]-?: Field<V[K]> };

/** Unknown keys of one mapping that are listed one by one. */
export const MAX_UNKNOWN_KEYS = 20;

/** A mapping with exactly these keys. Nothing at all counts as an empty mapping. */
export function table<V extends object>(what: string, fields: Fields<V>): Shape<Table<V>> {
  const names = Object.keys(fields) as (keyof V & string)[];
  const known = new Map<string, keyof V & string>(names.map((name) => [name, name]));
  const values = {} as V;
  for (const key of names) values[key] = fields[key].absent;
  // A copy has a shape of its own that further copies are made from fast; what was filled key by key has none.
  const absent = { ...values };
  const doc: ShapeDoc = {
    type: 'mapping',
    keys: names.map((key) => {
      const f = fields[key];
      return { key, summary: f.summary, required: f.required, default: f.defaultText, shape: f.shape.doc };
    }),
  };
  return {
    doc,
    read(node, label, report) {
      const entries = node.kind === 'map' ? node.entries : node.kind === 'scalar' && node.value === null ? [] : undefined;
      if (!entries) {
        report('E008', node.place, `${what} must be a mapping of keys, not ${kindOf(node)}`);
        return undefined;
      }
      const get = { ...absent };
      const at: { [K in keyof V]?: Place } = {};
      /** Keys that were misspelt, as they were probably meant. */
      let meant: Set<string> | undefined;
      let unknown = 0;
      let furthest = label;
      for (const entry of entries) {
        const key = known.get(entry.key);
        if (key === undefined) {
          if (++unknown > MAX_UNKNOWN_KEYS) {
            furthest = entry.keyPlace;
            continue;
          }
          const near = suggest(entry.key, names);
          // A misspelt key is one mistake: the key that was probably meant does not count as missing too.
          if (near !== undefined) meant = (meant ?? new Set()).add(near);
          report(
            'E006',
            entry.keyPlace,
            `unknown key ${quote(entry.key)} in ${what}`,
            near === undefined ? `the keys are ${names.join(', ')}` : `did you mean ${near}?`,
          );
          continue;
        }
        at[key] = entry.value.place;
        const value = fields[key].shape.read(entry.value, entry.keyPlace, report);
        if (value !== undefined) get[key] = value;
      }
      if (unknown > MAX_UNKNOWN_KEYS) report('E006', furthest, `${unknown - MAX_UNKNOWN_KEYS} further keys of ${what} are unknown`);
      const read = new ReadTable(label, get, at, meant);
      for (const key of names) {
        if (fields[key].required && !read.has(key)) report('E007', label, `${key} is missing in ${what}`);
      }
      return read;
    },
  };
}

class ReadTable<V> implements Table<V> {
  readonly label: Place;
  readonly get: V;
  readonly at: { readonly [K in keyof V]?: Place };
  readonly #meant: ReadonlySet<string> | undefined;

  constructor(label: Place, get: V, at: { readonly [K in keyof V]?: Place }, meant: ReadonlySet<string> | undefined) {
    this.label = label;
    this.get = get;
    this.at = at;
    this.#meant = meant;
  }

  has(key: keyof V): boolean {
    return this.at[key] !== undefined || this.#meant?.has(String(key)) === true;
  }

  place(key: keyof V): Place {
    return this.at[key] ?? this.label;
  }
}

/** A list; a value that stands alone is a list of one where `alone` says so. With `atLeastOne` an empty list is a mistake. */
export function list<T>(
  inner: Shape<T>,
  options: { readonly alone?: boolean; readonly atLeastOne?: boolean } = {},
): Shape<readonly Item<T>[]> {
  return {
    doc: { type: options.alone ? `${inner.doc.type} or list` : `list of ${inner.doc.type}`, inner: inner.doc },
    read(node, label, report) {
      const nothing = node.kind === 'scalar' && node.value === null;
      if (options.atLeastOne && (nothing || (node.kind === 'list' && node.items.length === 0))) {
        report('E028', node.place, `expected a list with at least ${oneOf(inner.doc.type)}`);
        return undefined;
      }
      if (nothing) return [];
      const items = node.kind === 'list' ? node.items : options.alone ? [node] : undefined;
      if (!items) {
        report('E008', node.place, `expected a list of ${inner.doc.type}, found ${kindOf(node)}`);
        return undefined;
      }
      const out: Item<T>[] = [];
      for (const item of items) {
        const value = inner.read(item, itemLabel(item, label), report);
        if (value !== undefined) out.push({ value, place: item.place });
      }
      return out;
    },
  };
}

/** A mapping from names that `check` accepts to values of one shape. */
export function mapping<T>(
  what: string,
  inner: Shape<T>,
  check: (name: string, place: Place, report: Report) => void,
): Shape<readonly Named<T>[]> {
  return {
    doc: { type: 'mapping by name', inner: inner.doc },
    read(node, _label, report) {
      if (node.kind === 'scalar' && node.value === null) return [];
      if (node.kind !== 'map') {
        report('E008', node.place, `${what} must be a mapping from names, not ${kindOf(node)}`);
        return undefined;
      }
      const out: Named<T>[] = [];
      for (const entry of node.entries) {
        check(entry.key, entry.keyPlace, report);
        const value = inner.read(entry.value, entry.keyPlace, report);
        if (value !== undefined) out.push({ name: entry.key, place: entry.keyPlace, value });
      }
      return out;
    },
  };
}

/** A scalar. `parse` gets the text as written and the YAML value, and reports what is wrong with it. */
export function leaf<T>(
  type: string,
  parse: (text: string, value: string | number | boolean, place: Place, report: Report) => T | undefined,
): Shape<T> {
  return {
    doc: { type: bare(type) },
    read(node, _label, report) {
      if (node.kind !== 'scalar' || node.value === null) {
        report('E008', node.place, `expected ${article(type)}, found ${kindOf(node)}`);
        return undefined;
      }
      return parse(node.text, node.value, node.place, report);
    },
  };
}

/** Where to point for something that is missing in an item of a list: its first key, or its opening brace. */
function itemLabel(node: ConfigNode, label: Place): Place {
  if (node.kind !== 'map') return node.place;
  const first = node.entries[0];
  return first === undefined ? label : first.keyPlace;
}

function kindOf(node: ConfigNode): string {
  switch (node.kind) {
    case 'map':
      return 'a mapping';
    case 'list':
      return 'a list';
    case 'scalar':
      if (node.value === null) return 'nothing';
      if (typeof node.value === 'string') return `the text ${quote(node.value)}`;
      return typeof node.value === 'number' ? `the number ${node.text}` : node.text;
  }
}

function article(type: string): string {
  return /^(a|an|the|one) /.test(type) ? type : /^([aeiou]|AS )/.test(type) ? `an ${type}` : `a ${type}`;
}

/** A value in a message: in quotes, with control characters escaped, cut after 60 characters. */
export function quote(text: string): string {
  const cut = text.length > 60 ? `${text.slice(0, 60)}...` : text;
  return JSON.stringify(cut);
}

/** `one interface` of `an interface`; `one of a, b` stays. */
function oneOf(type: string): string {
  return type.startsWith('one of ') ? type : `one ${bare(type)}`;
}

/** `an interface` without its article. */
function bare(type: string): string {
  return type.replace(/^(a|an|the) /, '');
}
