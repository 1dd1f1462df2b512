import { octetsKey as latin1, type Test } from '@weir/filter/ir';
import { MATCHED_ALREADY, parseWildcard, regexAutomaton } from '@weir/filter/syntax';
import { type Automaton, MAX_ROWS, type RawAutomaton, settle } from './automaton.ts';

/** Work that making one automaton may be. */
const MAX_STEPS = 20_000_000;

export type OctetsTest =
  | Extract<Test, { kind: 'bytes' | 'bytes-range' | 'contains' | 'matches' | 'wildcard' }>
  | { readonly kind: 'starts_with' | 'ends_with'; readonly value: Uint8Array }
  /** Of a value of at most MAX_COUNTED octets: how many it has. */
  | { readonly kind: 'length'; readonly accepts: (length: number) => boolean; readonly key: string };

/** Octets that are counted. */
const MAX_COUNTED = 16;

/** An automaton for a test of octets; undefined when it would have more rows than MAX_ROWS. RangeError for patterns that are none. */
export function automatonFor(test: OctetsTest): Automaton | undefined {
  const raw = rawFor(test);
  return raw && settle(raw);
}

function rawFor(test: OctetsTest): RawAutomaton | undefined {
  switch (test.kind) {
    case 'bytes':
      return oneOf(test.values);
    case 'bytes-range':
      return between(test);
    case 'contains':
      return inParts([empty, test.needle, empty], false);
    case 'starts_with':
      return inParts([test.value, empty], false);
    case 'ends_with':
      return inParts([empty, test.value], false);
    case 'wildcard': {
      const parsed = parseWildcard(test.pattern);
      if ('message' in parsed) throw new RangeError(parsed.message);
      return inParts(parsed.parts, !test.strict);
    }
    case 'matches':
      return regex(test.pattern);
    case 'length':
      return counted(test.accepts);
  }
}

/** The same text for tests that ask the same of octets, and for no other. */
export function octetsKey(test: OctetsTest): string {
  switch (test.kind) {
    case 'bytes':
      return JSON.stringify([test.kind, ...test.values.map(latin1)]);
    case 'bytes-range': {
      const { above, below } = test;
      const bound = (one: typeof above): unknown => one && [latin1(one.value), one.included];
      return JSON.stringify([test.kind, bound(above) ?? 0, bound(below) ?? 0]);
    }
    case 'contains':
      return JSON.stringify([test.kind, latin1(test.needle)]);
    case 'matches':
      return JSON.stringify([test.kind, latin1(test.pattern)]);
    case 'wildcard':
      return JSON.stringify([test.kind, test.strict, latin1(test.pattern)]);
    case 'starts_with':
    case 'ends_with':
      return JSON.stringify([test.kind, latin1(test.value)]);
    case 'length':
      return JSON.stringify([test.kind, test.key]);
  }
}

const empty = new Uint8Array(0);

/** Rows that are written by octet, with classes for the octets that matter. */
class Rows {
  readonly #classOf = new Uint8Array(256);
  readonly #members: number[] = [];
  readonly #next: number[] = [];
  readonly #accepts: number[] = [];

  /** Class 0 is every octet that is not in `octets`. */
  constructor(octets: Iterable<number>) {
    const distinct = [...new Set(octets)];
    // With all of them in it there is no class for others, and no octet has its number.
    for (const octet of distinct.slice(0, 255)) this.#classOf[octet] = this.#members.push(octet);
  }

  get length(): number {
    return this.#accepts.length;
  }

  /** Where each octet leads; undefined stands for an octet that none of the others is. */
  add(accepts: boolean, next: (octet: number | undefined) => number): void {
    this.#accepts.push(accepts ? 1 : 0);
    this.#next.push(next(this.#other()));
    for (const octet of this.#members) this.#next.push(next(octet));
  }

  /** The octet of class 0, where there is exactly one. */
  #other(): number | undefined {
    return this.#members.length === 255 ? this.#classOf.indexOf(0) : undefined;
  }

  done(): RawAutomaton {
    return {
      classOf: this.#classOf,
      classes: this.#members.length + 1,
      next: Int32Array.from(this.#next),
      accepts: Uint8Array.from(this.#accepts),
    };
  }
}

/** The values in order: a tree. */
function oneOf(values: readonly Uint8Array[]): RawAutomaton | undefined {
  const nodes: { readonly children: Map<number, number>; end: boolean }[] = [{ children: new Map(), end: false }];
  for (const value of values) {
    let at = 0;
    for (const octet of value) {
      const node = nodes[at];
      let child = node?.children.get(octet);
      if (child === undefined) {
        if (nodes.length >= MAX_ROWS) return undefined;
        child = nodes.push({ children: new Map(), end: false }) - 1;
        node?.children.set(octet, child);
      }
      at = child;
    }
    const last = nodes[at];
    if (last) last.end = true;
  }
  const rows = new Rows(values.flatMap((value) => [...value]));
  const dead = nodes.length;
  for (const { children, end } of nodes) rows.add(end, (octet) => (octet === undefined ? dead : (children.get(octet) ?? dead)));
  rows.add(false, () => dead);
  return rows.done();
}

/** Compared with both bounds at once: what has been seen is the beginning of a bound, or below it, or above it. */
function between({ above, below }: Extract<Test, { kind: 'bytes-range' }>): RawAutomaton | undefined {
  const BELOW = -1;
  const ABOVE = -2;
  type Place = readonly [number, number];
  const bounds = [above?.value ?? empty, below?.value ?? empty] as const;
  const step = (value: Uint8Array, at: number, octet: number): number => {
    if (at < 0) return at;
    const wanted = value[at];
    if (wanted === undefined) return ABOVE;
    return octet < wanted ? BELOW : octet > wanted ? ABOVE : at + 1;
  };
  /** Of a value that ends here: less than the bound, equal or more. */
  const order = (value: Uint8Array, at: number): number => (at === ABOVE ? 1 : at === BELOW || at < value.length ? -1 : 0);
  const passes = ([low, high]: Place): boolean => {
    const [fromBelow, fromAbove] = [order(bounds[0], low), order(bounds[1], high)];
    return (
      (!above || fromBelow > 0 || (fromBelow === 0 && above.included)) && (!below || fromAbove < 0 || (fromAbove === 0 && below.included))
    );
  };
  const places: Place[] = [[0, 0]];
  const known = new Map([['0,0', 0]]);
  const next: number[] = [];
  for (let i = 0; i < places.length; i++) {
    const [low, high] = places[i] ?? [0, 0];
    for (let octet = 0; octet < 256; octet++) {
      const to: Place = [above ? step(bounds[0], low, octet) : 0, below ? step(bounds[1], high, octet) : 0];
      const key = to.join();
      let row = known.get(key);
      if (row === undefined) {
        if (places.length >= MAX_ROWS) return undefined;
        row = places.push(to) - 1;
        known.set(key, row);
      }
      next.push(row);
    }
  }
  return {
    classOf: Uint8Array.from({ length: 256 }, (_, octet) => octet),
    classes: 256,
    next: Int32Array.from(next),
    accepts: Uint8Array.from(places, (place) => (passes(place) ? 1 : 0)),
  };
}

/**
 * The parts in order, with any octets between them: the first at the beginning, the last at the end, each of the others as early as it can be, which is as good as anywhere. A row is a part and how
 * much of it the octets before end with.
 */
function inParts(parts: readonly Uint8Array[], anyCase: boolean): RawAutomaton | undefined {
  const small = (octet: number): number => (anyCase && octet >= 0x41 && octet <= 0x5a ? octet + 32 : octet);
  const folded = parts.map((part) => part.map(small));
  const [first = empty, ...rest] = folded;
  if (rest.length === 0) return anyCase ? chain(first, small) : oneOf([first]);
  const total = folded.reduce((sum, part) => sum + part.length + 1, 1);
  if (total > MAX_ROWS) return undefined;
  const octets = folded.flatMap((part) => [...part]);
  const rows = new Rows(anyCase ? octets.flatMap((octet) => [octet, ...caseOf(octet)]) : octets);
  const dead = total - 1;
  for (let at = 0; at < first.length; at++) rows.add(false, (octet) => (octet !== undefined && small(octet) === first[at] ? at + 1 : dead));
  for (const [index, part] of rest.entries()) {
    const base = rows.length;
    const last = index === rest.length - 1;
    const search = searchRows(part);
    const width = last ? part.length + 1 : part.length;
    for (let matched = 0; matched < width; matched++)
      rows.add(last && matched === part.length, (octet) => base + (octet === undefined ? 0 : search(matched, small(octet))));
  }
  while (rows.length < total) rows.add(false, () => dead);
  return rows.done();
}

function caseOf(octet: number): number[] {
  return octet >= 0x61 && octet <= 0x7a ? [octet - 32] : [];
}

/** One value, with letters in any case. */
function chain(value: Uint8Array, small: (octet: number) => number): RawAutomaton | undefined {
  if (value.length + 2 > MAX_ROWS) return undefined;
  const rows = new Rows([...value].flatMap((octet) => [octet, ...caseOf(octet)]));
  const dead = value.length + 1;
  for (let at = 0; at <= value.length; at++)
    rows.add(at === value.length, (octet) => (octet !== undefined && small(octet) === value[at] ? at + 1 : dead));
  rows.add(false, () => dead);
  return rows.done();
}

function counted(passes: (length: number) => boolean): RawAutomaton {
  const rows = new Rows([]);
  const dead = MAX_COUNTED + 1;
  for (let length = 0; length <= MAX_COUNTED; length++) rows.add(passes(length), () => length + 1);
  rows.add(false, () => dead);
  return rows.done();
}

/** How much of `part` has been seen after one more octet (Knuth, Morris, Pratt). */
function searchRows(part: Uint8Array): (matched: number, octet: number) => number {
  const shorter = new Int32Array(part.length + 1);
  const follow = (from: number, octet: number): number => {
    let matched = from;
    while (matched > 0 && part[matched] !== octet) matched = shorter[matched] ?? 0;
    return part[matched] === octet ? matched + 1 : 0;
  };
  for (let i = 1; i < part.length; i++) shorter[i + 1] = follow(shorter[i] ?? 0, part[i] ?? 0);
  return follow;
}

function regex(pattern: Uint8Array): RawAutomaton | undefined {
  const made = regexAutomaton(pattern, { states: MAX_ROWS - 1, steps: MAX_STEPS });
  if (!made) return undefined;
  const { classOf, classes, next, accepts } = made;
  const matched = accepts.length;
  const rows = new Int32Array((matched + 1) * classes).fill(matched);
  rows.set(next.map((to) => (to === MATCHED_ALREADY ? matched : to)));
  return { classOf, classes, next: rows, accepts: Uint8Array.from([...accepts, 1]) };
}
