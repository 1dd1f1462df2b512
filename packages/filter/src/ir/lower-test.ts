import { lastIp } from '@weir/wire/inet';
import { type Int, printType, type Type } from '../scheme/index.ts';
import { compileRegex } from '../syntax/regex/index.ts';
import type { OrderOp, Relation, SetItem, Literal as TreeLiteral } from '../syntax/tree.ts';
import { parseWildcard } from '../syntax/wildcard.ts';
import type { IpSet, IrSpan, Operand, RangeSet, Test } from './expr.ts';
import { type Finding, nearest, type ProblemCode, type WarningCode } from './finding.ts';
import { MAX_INT, MIN_INT, nextInt, previousInt } from './int.ts';
import { ipSet, ipToInt, MAX_IP4, MAX_IP6 } from './ip-set.ts';
import type { ListDefinitions } from './lists.ts';
import { interval, intSet, rangeSet } from './range-set.ts';

export interface TestContext {
  readonly lists: ListDefinitions;
  readonly problems: Finding<ProblemCode>[];
  readonly warnings: Finding<WarningCode>[];
}

/** A comparison as a test; `notEqual` when it was written with `!=`, whose test is that of `==`. */
export interface LoweredTest {
  readonly test: Test;
  readonly notEqual: boolean;
}

/** The operand must be of the type. Undefined when something is wrong, which is then among the problems. Sets may be empty. */
export function lowerTest(operand: Operand, type: Type, relation: Relation, span: IrSpan, context: TestContext): LoweredTest | undefined {
  switch (relation.kind) {
    case 'order':
      return lowerOrder(operand, type, relation.op, relation.value, context);
    case 'bitwise-and':
      if (type.kind !== 'Int' || relation.mask.kind !== 'int') return mismatch(context, span, type, '&');
      return { test: { kind: 'bits', operand, mask: relation.mask.value }, notEqual: false };
    case 'contains':
      if (type.kind !== 'Bytes' || relation.value.kind !== 'bytes') return mismatch(context, span, type, 'contains');
      return { test: { kind: 'contains', operand, needle: relation.value.value }, notEqual: false };
    case 'matches':
      return lowerMatches(operand, type, relation.pattern, span, context);
    case 'wildcard':
      return lowerWildcard(operand, type, relation, span, context);
    case 'in':
      return lowerIn(operand, type, relation.items, span, context);
    case 'in-list':
      return lowerInList(operand, type, relation.list, span, context);
  }
}

function problem(context: TestContext, code: ProblemCode, { start, end }: IrSpan, message: string): undefined {
  context.problems.push({ code, message, span: { start, end } });
  return undefined;
}

function mismatch(context: TestContext, span: IrSpan, type: Type, operator: string): undefined {
  return problem(context, 'type', span, `${printType(type)} cannot be compared with this by ${operator}`);
}

function lowerOrder(operand: Operand, type: Type, op: OrderOp, value: TreeLiteral, context: TestContext): LoweredTest | undefined {
  const notEqual = op === 'NotEqual';
  if (type.kind === 'Int' && value.kind === 'int') {
    return { test: { kind: 'int', operand, set: orderedInts(op, value.value, MIN_INT, MAX_INT) }, notEqual };
  }
  if (type.kind === 'Ip' && value.kind === 'ip') {
    // An address is neither more nor less than one of the other family.
    const set = orderedInts(op, ipToInt(value.value), 0, value.value.family === 4 ? MAX_IP4 : MAX_IP6);
    return { test: { kind: 'ip', operand, set: value.value.family === 4 ? { v4: set, v6: [] } : { v4: [], v6: set } }, notEqual };
  }
  if (type.kind === 'Bytes' && value.kind === 'bytes') return { test: orderedOctets(operand, op, value.value), notEqual };
  return mismatch(context, value.span, type, 'order');
}

/** What fits; of `NotEqual`, what is equal. */
function orderedInts(op: OrderOp, value: Int, min: Int, max: Int): RangeSet {
  switch (op) {
    case 'Equal':
    case 'NotEqual':
      return intSet(value);
    case 'GreaterThanEqual':
      return interval(value, max);
    case 'GreaterThan':
      return interval(nextInt(value), max);
    case 'LessThanEqual':
      return interval(min, value);
    case 'LessThan':
      return interval(min, previousInt(value));
  }
}

function orderedOctets(operand: Operand, op: OrderOp, value: Uint8Array): Test {
  if (op === 'Equal' || op === 'NotEqual') return { kind: 'bytes', operand, values: [value] };
  const bound = { value, included: op === 'GreaterThanEqual' || op === 'LessThanEqual' };
  const above = op === 'GreaterThan' || op === 'GreaterThanEqual';
  return { kind: 'bytes-range', operand, above: above ? bound : undefined, below: above ? undefined : bound };
}

function lowerMatches(operand: Operand, type: Type, pattern: TreeLiteral, span: IrSpan, context: TestContext): LoweredTest | undefined {
  if (type.kind !== 'Bytes' || pattern.kind !== 'bytes') return mismatch(context, span, type, 'matches');
  try {
    compileRegex(pattern.value);
  } catch (error) {
    if (error instanceof RangeError) return problem(context, 'pattern', pattern.span, error.message);
    throw error;
  }
  return { test: { kind: 'matches', operand, pattern: pattern.value }, notEqual: false };
}

type WildcardRelation = Extract<Relation, { kind: 'wildcard' }>;

function lowerWildcard(
  operand: Operand,
  type: Type,
  { pattern, strict }: WildcardRelation,
  span: IrSpan,
  context: TestContext,
): LoweredTest | undefined {
  if (type.kind !== 'Bytes' || pattern.kind !== 'bytes') return mismatch(context, span, type, 'wildcard');
  const parsed = parseWildcard(pattern.value);
  if ('message' in parsed) return problem(context, 'pattern', pattern.span, parsed.message);
  return { test: { kind: 'wildcard', operand, pattern: pattern.value, strict }, notEqual: false };
}

function lowerIn(operand: Operand, type: Type, items: readonly SetItem[], span: IrSpan, context: TestContext): LoweredTest | undefined {
  if (items.length === 0)
    context.warnings.push({ code: 'empty-set', message: 'nothing is in an empty set', span: { start: span.start, end: span.end } });
  const wrong = items.find((item) => itemType(item) !== type.kind);
  if (wrong) return problem(context, 'type', wrong.span, `a set for ${printType(type)} cannot have this in it`);
  switch (type.kind) {
    case 'Int':
      return { test: { kind: 'int', operand, set: intsOf(items) }, notEqual: false };
    case 'Ip':
      return { test: { kind: 'ip', operand, set: ipsOf(items) }, notEqual: false };
    case 'Bytes':
      return {
        test: { kind: 'bytes', operand, values: items.flatMap((item) => (item.kind === 'bytes' ? [item.value] : [])) },
        notEqual: false,
      };
    default:
      return mismatch(context, span, type, 'in');
  }
}

function itemType(item: SetItem): Type['kind'] | undefined {
  switch (item.kind) {
    case 'int':
    case 'int-range':
      return 'Int';
    case 'ip':
    case 'ip-range':
    case 'prefix':
      return 'Ip';
    case 'bytes':
      return 'Bytes';
    case 'word':
      return undefined;
  }
}

function intsOf(items: readonly SetItem[]): RangeSet {
  return rangeSet(
    items.flatMap((item) => {
      if (item.kind === 'int') return [{ first: item.value, last: item.value }];
      return item.kind === 'int-range' ? [{ first: item.first, last: item.last }] : [];
    }),
  );
}

function ipsOf(items: readonly SetItem[]): IpSet {
  return ipSet(
    items.flatMap((item) => {
      if (item.kind === 'ip') return [{ first: item.value }];
      if (item.kind === 'prefix') return [{ first: item.value, last: lastIp(item.value) }];
      return item.kind === 'ip-range' ? [{ first: item.first, last: item.last }] : [];
    }),
  );
}

function lowerInList(operand: Operand, type: Type, name: string, span: IrSpan, context: TestContext): LoweredTest | undefined {
  const list = context.lists.get(name);
  if (!list) {
    const near = nearest(name, context.lists.keys());
    return problem(
      context,
      'unknown-list',
      span,
      `there is no list \`$${name}\`${near === undefined ? '' : `; did you mean \`$${near}\`?`}`,
    );
  }
  const listType = list.kind === 'constant' ? list.values.type : printType(list.type);
  if (listType !== type.kind) return problem(context, 'type', span, `\`$${name}\` is a list of ${listType}, not of ${printType(type)}`);
  if (list.kind === 'named') return { test: { kind: 'list', operand, list: name }, notEqual: false };
  const { values } = list;
  switch (values.type) {
    case 'Int':
      return { test: { kind: 'int', operand, set: values.set }, notEqual: false };
    case 'Ip':
      return { test: { kind: 'ip', operand, set: values.set }, notEqual: false };
    case 'Bytes':
      return { test: { kind: 'bytes', operand, values: values.values }, notEqual: false };
  }
}
