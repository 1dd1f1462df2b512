import type { Expr, Test } from '../ir/expr.ts';
import { andInt } from '../ir/int.ts';
import { containsIp } from '../ir/ip-set.ts';
import { octetsPass } from '../ir/octets-test.ts';
import { containsInt } from '../ir/range-set.ts';
import { isIp, operandValue, operandValues } from './operand-value.ts';
import type { Lists, Subject, Value } from './value.ts';

/** No named sets: nothing is a member. */
export const NO_LISTS: Lists = { has: () => false };

/**
 * What an expression says of a subject. This is the specification of the language: what compilers make of an expression must agree with it.
 *
 * A test of a missing operand is false, and the negation of a test is true whenever the test is false. A value that is not of the type that a test is about is as
 * good as missing. RangeError for patterns that are none, which neither `lower` nor `decodeExpr` lets through.
 */
export function evaluate(expr: Expr, subject: Subject, lists: Lists = NO_LISTS): boolean {
  switch (expr.kind) {
    case 'constant':
      return expr.value;
    case 'literal':
      return passes(expr.test, subject, lists) !== expr.negated;
    case 'and':
      for (const item of expr.items) if (!evaluate(item, subject, lists)) return false;
      return true;
    case 'or':
      for (const item of expr.items) if (evaluate(item, subject, lists)) return true;
      return false;
    case 'xor': {
      let odd = expr.negated;
      for (const item of expr.items) if (evaluate(item, subject, lists)) odd = !odd;
      return odd;
    }
  }
}

/** Whether the operand of a test is there and passes it. */
export function passes(test: Test, subject: Subject, lists: Lists): boolean {
  if (test.kind === 'quantified') return passesQuantified(test, subject, lists);
  const value = operandValue(test.operand, subject);
  return value !== undefined && valuePasses(test, value, lists);
}

function passesQuantified(test: Extract<Test, { kind: 'quantified' }>, subject: Subject, lists: Lists): boolean {
  const { test: inner, negated, quantifier } = test;
  if (inner.kind === 'quantified') return false;
  const values = operandValues(inner.operand, subject);
  if (values === undefined) return false;
  const one = (value: Value): boolean => valuePasses(inner, value, lists) !== negated;
  return quantifier === 'any' ? values.some(one) : values.every(one);
}

/** Whether a value passes a test; what operand the test has does not matter. */
function valuePasses(test: Exclude<Test, { kind: 'quantified' }>, value: Value, lists: Lists): boolean {
  switch (test.kind) {
    case 'flag':
      return value === true;
    case 'int':
      return isInt(value) && containsInt(test.set, value);
    case 'bits':
      return isInt(value) && andInt(value, test.mask) !== 0;
    case 'ip':
      return typeof value === 'object' && isIp(value) && containsIp(test.set, value);
    case 'bytes':
    case 'bytes-range':
    case 'contains':
    case 'matches':
    case 'wildcard':
      return value instanceof Uint8Array && octetsPass(test, value);
    case 'list':
      return lists.has(test.list, value);
  }
}

function isInt(value: Value): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}
