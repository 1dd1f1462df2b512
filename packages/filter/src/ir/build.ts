import { type Int, PACKET_SCHEME, type Scheme } from '../scheme/index.ts';
import type { Expr, IpSet, IrSpan, Operand, RangeSet, Test } from './expr.ts';
import { constant, type Literal, literal } from './fold.ts';
import { type Conflict, combineSets, isSet, joinSpans, mergeAll, testKey } from './merge.ts';
import { field, operandKey } from './operand.ts';

/** Makes expressions in the normal form of `Expr`. What goes in has to come from a builder of the same scheme (or `simplify`). */
export interface ExprBuilder {
  readonly scheme: Scheme;
  constant(value: boolean, span?: IrSpan): Expr;
  /** The test, or its negation; a constant when that is what it comes to. */
  test(test: Test, negated?: boolean, span?: IrSpan): Expr;
  /** All of them; of none, true. `report` hears what cannot hold together. */
  and(items: readonly Expr[], span?: IrSpan, report?: (conflict: Conflict) => void): Expr;
  /** One of them at least; of none, false. `report` hears what always holds, one or the other. */
  or(items: readonly Expr[], span?: IrSpan, report?: (conflict: Conflict) => void): Expr;
  /** An odd number of them. */
  xor(items: readonly Expr[], span?: IrSpan): Expr;
  not(expr: Expr): Expr;
  /** Any expression of the type `Expr` in normal form. */
  simplify(expr: Expr): Expr;

  flag(operand: Operand | string): Expr;
  /** An Int lies in the set. */
  int(operand: Operand | string, set: RangeSet): Expr;
  /** An Int has one of the bits. */
  bits(operand: Operand | string, mask: Int): Expr;
  ip(operand: Operand | string, set: IpSet): Expr;
  /** Octets are one of these. */
  bytes(operand: Operand | string, values: readonly Uint8Array[]): Expr;
  list(operand: Operand | string, name: string): Expr;
}

/** Makes expressions of a scheme; cheap. */
export function exprBuilder(scheme: Scheme): ExprBuilder {
  const at = (operand: Operand | string): Operand => (typeof operand === 'string' ? field(operand) : operand);
  const of = (test: Test): Expr => literal(test, false, scheme);
  const builder: ExprBuilder = {
    scheme,
    constant,
    test: (test, negated = false, span) => literal(test, negated, scheme, span),
    and: (items, span, report) => combine('and', items, scheme, span, report),
    or: (items, span, report) => combine('or', items, scheme, span, report),
    xor: (items, span) => parity(items, builder, span),
    not: (expr) => negate(expr, builder),
    simplify: (expr) => simplify(expr, builder),
    flag: (operand) => of({ kind: 'flag', operand: at(operand) }),
    int: (operand, set) => of({ kind: 'int', operand: at(operand), set }),
    bits: (operand, mask) => of({ kind: 'bits', operand: at(operand), mask }),
    ip: (operand, set) => of({ kind: 'ip', operand: at(operand), set }),
    bytes: (operand, values) => of({ kind: 'bytes', operand: at(operand), values }),
    list: (operand, list) => of({ kind: 'list', operand: at(operand), list }),
  };
  return builder;
}

/** Of the fields of packets. */
export const packetExpr: ExprBuilder = exprBuilder(PACKET_SCHEME);

/** `or` is `and` with every literal turned round: one set of rules merges both. */
function combine(
  kind: 'and' | 'or',
  items: readonly Expr[],
  scheme: Scheme,
  span: IrSpan | undefined,
  report?: (conflict: Conflict) => void,
): Expr {
  const neutral = kind === 'and';
  const flat: Exclude<Expr, { kind: 'constant' }>[] = [];
  for (const item of items) {
    for (const part of item.kind === kind ? item.items : [item]) {
      if (part.kind !== 'constant') flat.push(part);
      else if (part.value !== neutral) return constant(!neutral, span);
    }
  }
  const turn = (l: Literal): Literal => (neutral ? l : { ...l, negated: !l.negated });
  const slots = flat.map((item) => (item.kind === 'literal' ? turn(item) : undefined));
  const merged = mergeAll(slots, scheme);
  if (!merged.ok) {
    report?.(merged.conflict);
    return constant(!neutral, span);
  }
  let out: Expr[] = flat;
  if (merged.slots !== slots) {
    out = [];
    for (const [i, item] of flat.entries()) {
      const slot = merged.slots[i];
      if (item.kind === 'literal' && !slot) continue;
      const folded = slot ? literal(slot.test, neutral ? slot.negated : !slot.negated, scheme, slot.span) : item;
      if (folded.kind !== 'constant') out.push(folded);
      else if (folded.value !== neutral) return constant(!neutral, span);
    }
  }
  const [only] = out;
  if (!only) return constant(neutral, span);
  if (out.length === 1) return only;
  const whole = span ?? joinSpans(out);
  return whole ? { kind, items: out, span: whole } : { kind, items: out };
}

/** Parity: negations and constants are pulled out, sets on one operand become what lies in an odd number of them, and what stands there twice goes. */
function parity(items: readonly Expr[], builder: ExprBuilder, span: IrSpan | undefined): Expr {
  let negated = false;
  const flat: Expr[] = [];
  const add = (item: Expr): void => {
    if (item.kind === 'constant') negated = negated !== item.value;
    else if (item.kind === 'literal' && item.negated) {
      negated = !negated;
      flat.push({ ...item, negated: false });
    } else flat.push(item);
  };
  for (const item of items) {
    if (item.kind !== 'xor') add(item);
    else {
      negated = negated !== item.negated;
      for (const inner of item.items) add(inner);
    }
  }
  const groups = new Map<string, [Literal, ...Literal[]]>();
  for (const item of flat) {
    if (item.kind !== 'literal') continue;
    const key = isSet(item.test) ? `${item.test.kind} ${operandKey(item.test.operand)}` : testKey(item.test);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  const merged = new Map<Expr, Expr | undefined>();
  for (const group of groups.values()) {
    if (group.length > 1) for (const [literal, to] of oddGroup(group, builder.scheme)) merged.set(literal, to);
  }
  const out: Expr[] = [];
  const seen = new Set<Expr>();
  for (const item of flat) {
    const made = merged.has(item) && (seen.has(item) || merged.get(item) === undefined) ? undefined : (merged.get(item) ?? item);
    seen.add(item);
    if (made?.kind === 'constant') negated = negated !== made.value;
    else if (made) out.push(made);
  }
  const [only] = out;
  if (!only) return constant(negated, span);
  if (out.length === 1) return negated ? builder.not(only) : only;
  const whole = span ?? joinSpans(out);
  return whole ? { kind: 'xor', items: out, negated, span: whole } : { kind: 'xor', items: out, negated };
}

/** Positive literals that can be one; the first takes their place. */
function oddGroup(group: readonly [Literal, ...Literal[]], scheme: Scheme): Map<Expr, Expr | undefined> {
  const [first] = group;
  const result = new Map<Expr, Expr | undefined>(group.map((literal) => [literal, undefined]));
  const sample = first.test;
  const test = isSet(sample)
    ? combineSets(sample, group.map((l) => l.test).filter(isSet), 'odd')
    : group.length % 2 === 1
      ? sample
      : undefined;
  if (test) result.set(first, literal(test, false, scheme, joinSpans(group)));
  return result;
}

/** De Morgan's laws, down to the literals. */
function negate(expr: Expr, builder: ExprBuilder): Expr {
  switch (expr.kind) {
    case 'constant':
      return constant(!expr.value, expr.span);
    case 'literal':
      return builder.test(expr.test, !expr.negated, expr.span);
    case 'and':
      return builder.or(
        expr.items.map((item) => negate(item, builder)),
        expr.span,
      );
    case 'or':
      return builder.and(
        expr.items.map((item) => negate(item, builder)),
        expr.span,
      );
    case 'xor':
      return { ...expr, negated: !expr.negated };
  }
}

function simplify(expr: Expr, builder: ExprBuilder): Expr {
  switch (expr.kind) {
    case 'constant':
      return expr;
    case 'literal':
      return builder.test(expr.test, expr.negated, expr.span);
    case 'and':
    case 'or':
      return builder[expr.kind](
        expr.items.map((item) => simplify(item, builder)),
        expr.span,
      );
    case 'xor': {
      const made = builder.xor(
        expr.items.map((item) => simplify(item, builder)),
        expr.span,
      );
      return expr.negated ? builder.not(made) : made;
    }
  }
}
