import { PACKET_SCHEME, type Scheme } from '../scheme/index.ts';
import { type ExprBuilder, exprBuilder } from './build.ts';
import type { Expr, RangeSet, Test } from './expr.ts';
import type { Literal } from './fold.ts';
import { familySet, intersectIpSets } from './ip-set.ts';
import { type Presence, presence, testOperand } from './operand.ts';
import { containsInt, intSet } from './range-set.ts';

/**
 * A conjunction with what its tests imply: a packet passes when all literals hold, and every packet that passes is of `protocols` (undefined: of any, or of none that
 * is known) and of `family`. The implied protocol is among the literals, as a test of `ip.proto.num`; the family is where an address is tested.
 */
export interface Box {
  readonly literals: readonly Literal[];
  readonly protocols: RangeSet | undefined;
  readonly family: 4 | 6 | undefined;
}

/** The literals of an expression that is a conjunction of them: of `true` none, of one literal that one; undefined for anything else. */
export function conjunctionOf(expr: Expr): readonly Literal[] | undefined {
  switch (expr.kind) {
    case 'constant':
      return expr.value ? [] : undefined;
    case 'literal':
      return [expr];
    case 'and': {
      const literals = expr.items.filter((item) => item.kind === 'literal');
      return literals.length === expr.items.length ? literals : undefined;
    }
    default:
      return undefined;
  }
}

/**
 * The expression as a union of at most `limit` boxes, which may overlap; undefined when it would take more. Boxes that no packet is in are left out, so `false` has
 * none. About 64 conjunctions are looked at for each box that is allowed; what needs more is undefined too.
 */
export function toBoxes(expr: Expr, limit: number, scheme: Scheme = PACKET_SCHEME): readonly Box[] | undefined {
  const build = exprBuilder(scheme);
  const terms = disjuncts(expr, { limit, build, left: limit * 64 + 256 });
  return terms?.map(({ box }) => box);
}

/** What follows from conjunctions: undefined when no packet passes all of them. */
export function boxOf(literals: readonly Literal[], scheme: Scheme = PACKET_SCHEME): Box | undefined {
  return close(literals, exprBuilder(scheme));
}

/** A conjunction of the union: its literals as they came, and with what they imply. */
interface Term {
  readonly literals: readonly Literal[];
  readonly box: Box;
}

interface Work {
  readonly limit: number;
  readonly build: ExprBuilder;
  /** Conjunctions that may still be looked at, those that turn out empty included. */
  left: number;
}

function disjuncts(expr: Expr, work: Work): readonly Term[] | undefined {
  if (work.left < 0) return undefined;
  switch (expr.kind) {
    case 'constant':
      return expr.value ? atMost([termOf([], work)], work.limit) : [];
    case 'literal':
      return atMost([termOf([expr], work)], work.limit);
    case 'or':
      return union(expr.items, work);
    case 'and':
      return product(expr.items, work);
    case 'xor':
      return disjunctsOfXor(expr, work);
  }
}

function atMost(terms: readonly (Term | undefined)[], limit: number): readonly Term[] | undefined {
  const there = terms.filter((term) => term !== undefined);
  return there.length > limit ? undefined : there;
}

function union(items: readonly Expr[], work: Work): readonly Term[] | undefined {
  const out: Term[] = [];
  for (const item of items) {
    const terms = disjuncts(item, work);
    if (!terms || out.length + terms.length > work.limit) return undefined;
    out.push(...terms);
  }
  return out;
}

/** Literals first: they make many of the products empty. */
function product(items: readonly Expr[], work: Work): readonly Term[] | undefined {
  const literals = items.filter((item) => item.kind === 'literal');
  let out = atMost([termOf(literals, work)], work.limit);
  for (const item of items) {
    if (item.kind === 'literal' || !out) continue;
    const terms = disjuncts(item, work);
    if (!terms) return undefined;
    const next: Term[] = [];
    for (const left of out) {
      for (const right of terms) {
        const both = termOf([...left.literals, ...right.literals], work);
        if (both) next.push(both);
        if (next.length > work.limit || work.left < 0) return undefined;
      }
    }
    out = next;
  }
  return out;
}

/** `a xor rest` is `a and not rest` or `not a and rest`. */
function disjunctsOfXor(expr: Extract<Expr, { kind: 'xor' }>, work: Work): readonly Term[] | undefined {
  // Each item more doubles the terms: of many items there is nothing to try.
  if (expr.items.length > 32 || 2 ** (expr.items.length - 1) > work.limit * 8) return undefined;
  const { build } = work;
  const [first, ...rest] = expr.items;
  if (!first) return expr.negated ? atMost([termOf([], work)], work.limit) : [];
  const other = build.xor(rest);
  const odd = expr.negated ? build.not(other) : other;
  return union([build.and([first, build.not(odd)]), build.and([build.not(first), odd])], work);
}

function termOf(literals: readonly Literal[], work: Work): Term | undefined {
  const { build } = work;
  work.left--;
  const merged = conjunctionOf(build.and(literals));
  const box = merged && close(merged, build);
  return merged && box && { literals: merged, box };
}

/** Adds what the literals imply until nothing new follows; undefined when they contradict one another. */
function close(literals: readonly Literal[], build: ExprBuilder): Box | undefined {
  const { scheme } = build;
  const first = merge(literals, build);
  if (!first) return undefined;
  let family: 4 | 6 | undefined;
  const added: Expr[] = [];
  for (const literal of first) {
    if (literal.negated) continue;
    const implied = impliedBy(literal.test, scheme);
    if (implied.family !== undefined) {
      if (family !== undefined && family !== implied.family) return undefined;
      family = implied.family;
    }
    if (implied.protocol !== undefined) added.push(build.int('ip.proto.num', intSet(implied.protocol)));
  }
  const second = merge([...first, ...added], build);
  if (!second) return undefined;
  const protocols = protocolsOf(second);
  const out: Literal[] = [];
  for (const literal of second) {
    const made = within(literal, protocols, family, build);
    if (made === 'never') return undefined;
    if (made) out.push(made);
  }
  return { literals: out, protocols, family };
}

function merge(items: readonly Expr[], build: ExprBuilder): readonly Literal[] | undefined {
  return conjunctionOf(build.and(items));
}

/** What is true of every packet that passes the test. */
export function impliedBy(test: Test, scheme: Scheme): Presence {
  const implied = presence(testOperand(test), scheme);
  if (test.kind !== 'ip' || !isPacketAddress(test)) return implied;
  const { v4, v6 } = test.set;
  return { ...implied, family: v4.length === 0 ? 6 : v6.length === 0 ? 4 : implied.family };
}

/** Both addresses of a packet are of its family; other addresses need not be. */
function isPacketAddress(test: Extract<Test, { kind: 'ip' }>): boolean {
  return test.operand.kind === 'field' && (test.operand.name === 'ip.src' || test.operand.name === 'ip.dst');
}

function protocolsOf(literals: readonly Literal[]): RangeSet | undefined {
  for (const { test, negated } of literals) {
    if (!negated && test.kind === 'int' && test.operand.kind === 'field' && test.operand.name === 'ip.proto.num') return test.set;
  }
  return undefined;
}

/** A literal where protocol and family are known: undefined when it always holds then, `never` when it cannot. */
function within(
  literal: Literal,
  protocols: RangeSet | undefined,
  family: 4 | 6 | undefined,
  build: ExprBuilder,
): Literal | 'never' | undefined {
  const { test, negated, span } = literal;
  const needs = presence(testOperand(test), build.scheme);
  const otherProtocol = needs.protocol !== undefined && protocols !== undefined && !containsInt(protocols, needs.protocol);
  const otherFamily = needs.family !== undefined && family !== undefined && family !== needs.family;
  // The operand is missing, so the test is false.
  if (otherProtocol || otherFamily) return negated ? undefined : 'never';
  if (family === undefined || test.kind !== 'ip' || !isPacketAddress(test)) return literal;
  const set = intersectIpSets([test.set, familySet(family)]);
  const made = build.test({ ...test, set }, negated, span);
  if (made.kind === 'constant') return made.value ? undefined : 'never';
  return made.kind === 'literal' ? made : literal;
}
