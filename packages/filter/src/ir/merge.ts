import type { Scheme } from '../scheme/index.ts';
import type { IrSpan, Operand, Test } from './expr.ts';
import { fold, type Literal } from './fold.ts';
import { andInt, orInt } from './int.ts';
import { intersectIpSets, oddIpSets, subtractIpSet, unionIpSets } from './ip-set.ts';
import { compareOctets, keyOctets, octetSet, octetsKey } from './octets.ts';
import { operandKey, testOperand } from './operand.ts';
import { intersectSets, oddSets, subtractSet, unionSets } from './range-set.ts';

/** Literals that cannot hold together. */
export interface Conflict {
  readonly operand: Operand;
  readonly span: IrSpan | undefined;
}

/** Literals at their places; undefined where there is none. */
export type Slots = readonly (Literal | undefined)[];

export type Merged = { readonly ok: true; readonly slots: Slots } | { readonly ok: false; readonly conflict: Conflict };

type SetTest = Extract<Test, { kind: 'int' | 'ip' | 'bytes' }>;
type Group = readonly [Literal, ...Literal[]];
/** What becomes of the literals of one group: each takes the place of a literal of the group, or of none. */
type GroupResult = ReadonlyMap<Literal, Literal> | 'conflict';

/**
 * Literals that all have to hold, those on one operand made one where that says exactly the same, missing values included:
 * `x in A and x in B` is `x in A∩B`, `x in A and not x in B` is `x in A\B`, `not x in A and not x in B` is `not x in A∪B`. A merged literal stands where the
 * first of its literals stood. O(n log n) in literals and ranges.
 */
export function mergeAll(slots: Slots, scheme: Scheme): Merged {
  // Masks and orders may become sets, so they come first.
  const first = mergeGroups(slots, (test) => (isMaskOrOrder(test) ? `${test.kind} ${operandKey(test.operand)}` : undefined), scheme);
  return first.ok ? mergeGroups(first.slots, setOrSame, scheme) : first;
}

type MaskOrOrder = Extract<Test, { kind: 'bits' | 'bytes-range' }>;

function isMaskOrOrder(test: Test): test is MaskOrOrder {
  return test.kind === 'bits' || test.kind === 'bytes-range';
}

function setOrSame(test: Test): string | undefined {
  if (isSet(test)) return `${test.kind} ${operandKey(test.operand)}`;
  return isMaskOrOrder(test) ? undefined : testKey(test);
}

function mergeGroups(slots: Slots, keyOf: (test: Test) => string | undefined, scheme: Scheme): Merged {
  const groups = new Map<string, [Literal, ...Literal[]]>();
  for (const literal of slots) {
    const key = literal && keyOf(literal.test);
    if (literal === undefined || key === undefined) continue;
    const group = groups.get(key);
    if (group) group.push(literal);
    else groups.set(key, [literal]);
  }
  const moved = new Map<Literal, Literal | undefined>();
  for (const group of groups.values()) {
    if (group.length === 1) continue;
    const result = mergeGroup(group, scheme);
    if (result === 'conflict') return { ok: false, conflict: { operand: testOperand(group[0].test), span: joinSpans(group) } };
    for (const literal of group) moved.set(literal, result.get(literal));
  }
  if (moved.size === 0) return { ok: true, slots };
  const seen = new Set<Literal>();
  const out = slots.map((literal) => {
    if (!literal || !moved.has(literal)) return literal;
    // The same object may stand in two places.
    if (seen.has(literal)) return undefined;
    seen.add(literal);
    return moved.get(literal);
  });
  return { ok: true, slots: out };
}

function mergeGroup(group: Group, scheme: Scheme): GroupResult {
  const { test } = group[0];
  switch (test.kind) {
    case 'int':
    case 'ip':
    case 'bytes':
      return mergeSets(group, test);
    case 'bits':
      return mergeBits(group, test.operand, scheme);
    case 'bytes-range':
      return mergeOrders(group, test.operand, scheme);
    case 'flag':
    case 'contains':
    case 'matches':
    case 'wildcard':
    case 'list':
    case 'quantified':
      return mergeSame(group);
  }
}

/** Literals with one and the same test. */
function mergeSame(group: Group): GroupResult {
  const [first] = group;
  if (group.some((l) => l.negated !== first.negated)) return 'conflict';
  return new Map([[first, spanned(first, first.test, first.negated, group)]]);
}

function mergeSets(group: Group, sample: SetTest): GroupResult {
  const [first] = group;
  const positive = group.filter((l) => !l.negated);
  const negative = group.filter((l) => l.negated);
  const without = negative.length === 0 ? undefined : combineSets(sample, setsOf(negative), 'union');
  if (positive.length === 0) return new Map([[first, spanned(first, without ?? sample, true, group)]]);
  const inAll = combineSets(sample, setsOf(positive), 'intersect');
  const left = inAll && without ? subtractTest(inAll, without) : inAll;
  return left === undefined ? 'conflict' : new Map([[first, spanned(first, left, false, group)]]);
}

function mergeBits(group: Group, operand: Operand, scheme: Scheme): GroupResult {
  const result = new Map<Literal, Literal>();
  const negative = group.filter((l) => l.negated);
  const off = negative.reduce<number | bigint>((mask, l) => (l.test.kind === 'bits' ? orInt(mask, l.test.mask) : mask), 0);
  const firstOff = negative[0];
  if (firstOff) {
    const folded = fold({ kind: 'bits', operand, mask: off }, scheme);
    if (folded !== 'never') result.set(firstOff, spanned(firstOff, folded, true, negative));
  }
  const seen = new Set<number | bigint>();
  for (const literal of group) {
    if (literal.negated || literal.test.kind !== 'bits' || seen.has(literal.test.mask)) continue;
    if (off !== 0 && andInt(literal.test.mask, off) === literal.test.mask) return 'conflict';
    seen.add(literal.test.mask);
    result.set(literal, literal);
  }
  return result;
}

function mergeOrders(group: Group, operand: Operand, scheme: Scheme): GroupResult {
  type Order = Extract<Test, { kind: 'bytes-range' }>;
  const result = new Map<Literal, Literal>();
  const seen = new Set<string>();
  const positive: Literal[] = [];
  let both: Order = { kind: 'bytes-range', operand, above: undefined, below: undefined };
  for (const literal of group) {
    if (literal.test.kind !== 'bytes-range') continue;
    if (literal.negated) {
      const key = testKey(literal.test);
      if (!seen.has(key)) result.set(literal, literal);
      seen.add(key);
      continue;
    }
    positive.push(literal);
    both = { ...both, above: tighter(both.above, literal.test.above, 1), below: tighter(both.below, literal.test.below, -1) };
  }
  const [first] = positive;
  if (!first) return result;
  const folded = fold(both, scheme);
  if (folded === 'never' || seen.has(testKey(folded))) return 'conflict';
  result.set(first, spanned(first, folded, false, positive));
  return result;
}

type Bound = Extract<Test, { kind: 'bytes-range' }>['above'];

/** The bound that lets less through; `direction` is 1 for lower bounds. */
function tighter(a: Bound, b: Bound, direction: 1 | -1): Bound {
  if (!a || !b) return a ?? b;
  const order = compareOctets(a.value, b.value) * direction;
  if (order !== 0) return order > 0 ? a : b;
  return a.included ? b : a;
}

export function isSet(test: Test): test is SetTest {
  return test.kind === 'int' || test.kind === 'ip' || test.kind === 'bytes';
}

function setsOf(literals: readonly Literal[]): readonly SetTest[] {
  return literals.map((l) => l.test).filter(isSet);
}

/** Tests of one kind on one operand as one; undefined when nothing passes. */
export function combineSets(sample: SetTest, tests: readonly SetTest[], how: 'union' | 'intersect' | 'odd'): SetTest | undefined {
  switch (sample.kind) {
    case 'int': {
      const sets = tests.flatMap((t) => (t.kind === 'int' ? [t.set] : []));
      const set = (how === 'union' ? unionSets : how === 'odd' ? oddSets : intersectSets)(sets);
      return set.length === 0 ? undefined : { ...sample, set };
    }
    case 'ip': {
      const sets = tests.flatMap((t) => (t.kind === 'ip' ? [t.set] : []));
      const set = (how === 'union' ? unionIpSets : how === 'odd' ? oddIpSets : intersectIpSets)(sets);
      return set.v4.length + set.v6.length === 0 ? undefined : { ...sample, set };
    }
    case 'bytes': {
      const sets = tests.flatMap((t) => (t.kind === 'bytes' ? [t.values] : []));
      const values = combineOctets(sets, (n) => (how === 'union' ? n > 0 : how === 'odd' ? n % 2 === 1 : n === sets.length));
      return values.length === 0 ? undefined : { ...sample, values };
    }
  }
}

function combineOctets(sets: readonly (readonly Uint8Array[])[], wanted: (count: number) => boolean): readonly Uint8Array[] {
  const counts = new Map<string, number>();
  for (const set of sets) {
    for (const value of set) counts.set(octetsKey(value), (counts.get(octetsKey(value)) ?? 0) + 1);
  }
  return octetSet([...counts].filter(([, n]) => wanted(n)).map(([key]) => keyOctets(key)));
}

function subtractTest(from: SetTest, what: SetTest): SetTest | undefined {
  if (from.kind === 'int' && what.kind === 'int') {
    const set = subtractSet(from.set, what.set);
    return set.length === 0 ? undefined : { ...from, set };
  }
  if (from.kind === 'ip' && what.kind === 'ip') {
    const set = subtractIpSet(from.set, what.set);
    return set.v4.length + set.v6.length === 0 ? undefined : { ...from, set };
  }
  if (from.kind === 'bytes' && what.kind === 'bytes') {
    const without = new Set(what.values.map(octetsKey));
    const values = from.values.filter((value) => !without.has(octetsKey(value)));
    return values.length === 0 ? undefined : { ...from, values };
  }
  return from;
}

function spanned(like: Literal, test: Test, negated: boolean, group: readonly Literal[]): Literal {
  const span = joinSpans(group);
  return span ? { ...like, test, negated, span } : { kind: 'literal', test, negated };
}

/** From the first to the last; undefined when one has none. */
export function joinSpans(nodes: readonly { readonly span?: IrSpan | undefined }[]): IrSpan | undefined {
  let start = Number.POSITIVE_INFINITY;
  let end = Number.NEGATIVE_INFINITY;
  for (const { span } of nodes) {
    if (!span) return undefined;
    start = Math.min(start, span.start);
    end = Math.max(end, span.end);
  }
  return nodes.length === 0 ? undefined : { start, end };
}

/** The same text for tests that ask the same of the same operand. */
export function testKey(test: Test): string {
  if (test.kind === 'quantified') return `${test.quantifier} ${test.negated} ${testKey(test.test)}`;
  const operand = operandKey(test.operand);
  switch (test.kind) {
    case 'flag':
      return `flag ${operand}`;
    case 'int':
      return `int ${operand} ${test.set.map((r) => `${r.first}..${r.last}`).join(' ')}`;
    case 'bits':
      return `bits ${operand} ${test.mask}`;
    case 'ip':
      return `ip ${operand} ${[test.set.v4, test.set.v6].map((set) => set.map((r) => `${r.first}..${r.last}`).join(' ')).join(' | ')}`;
    case 'bytes':
      return `bytes ${operand} ${JSON.stringify(test.values.map(octetsKey))}`;
    case 'bytes-range':
      return `range ${operand} ${JSON.stringify([test.above, test.below].map((b) => b && [b.included, octetsKey(b.value)]))}`;
    case 'contains':
      return `contains ${operand} ${octetsKey(test.needle)}`;
    case 'matches':
      return `matches ${operand} ${octetsKey(test.pattern)}`;
    case 'wildcard':
      return `wildcard ${test.strict} ${operand} ${octetsKey(test.pattern)}`;
    case 'list':
      return `list ${operand} ${test.list}`;
  }
}
