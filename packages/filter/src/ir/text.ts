import { rangeAsPrefix } from '@weir/wire/inet';
import { IP_PROTOCOLS, PACKET_SCHEME, type Scheme } from '../scheme/index.ts';
import {
  bytesLiteral,
  call,
  combine,
  comparison,
  index,
  intLiteral,
  intRange,
  ipLiteral,
  ipRange,
  not,
  patternLiteral,
  prefixItem,
  printNode,
  quantified,
  field as treeField,
  wordLiteral,
} from '../syntax/index.ts';
import type { Argument, Expression, Relation, SetItem, Operand as TreeOperand } from '../syntax/tree.ts';
import type { Constant, Expr, IpSet, Operand, RangeSet, Test } from './expr.ts';
import { ipRanges } from './ip-set.ts';
import { keyOctets } from './octets.ts';
import { isOperand, operandInfo } from './operand.ts';
import { onlyMember } from './range-set.ts';

/** Protocols that are written by name when there are no more of them. */
const MAX_NAMES = 8;

/**
 * An expression in the filter language: parsed and lowered by the same scheme (with the lists that it names) it gives the same expression, spans aside. RangeError for
 * a constant where the scheme has no field to say it with, and for a regular expression with `"####` in it.
 */
export function printExpr(expr: Expr, scheme: Scheme = PACKET_SCHEME): string {
  return printNode(exprToTree(expr, scheme));
}

/** The same as a tree without spelling. */
export function exprToTree(expr: Expr, scheme: Scheme): Expression {
  switch (expr.kind) {
    case 'constant':
      return constantTree(expr.value, scheme);
    case 'literal':
      return literalTree(expr.test, expr.negated, scheme);
    case 'and':
    case 'or':
      return combined(expr.kind, expr.items, scheme);
    case 'xor': {
      const node = combined('xor', expr.items, scheme);
      return expr.negated ? not(node) : node;
    }
  }
}

function combined(op: 'and' | 'or' | 'xor', items: readonly Expr[], scheme: Scheme): Expression {
  const [first, second, ...rest] = items.map((item) => exprToTree(item, scheme));
  if (!first || !second) throw new RangeError(`an ${op} of less than two items`);
  return combine(op, [first, second, ...rest]);
}

/** Nothing is in an empty set. */
function constantTree(value: boolean, scheme: Scheme): Expression {
  for (const { name, type } of scheme.fields.values()) {
    if (type.kind !== 'Int' && type.kind !== 'Ip' && type.kind !== 'Bytes') continue;
    const never = comparison(treeField(name), { kind: 'in', items: [] });
    return value ? not(never) : never;
  }
  throw new RangeError('the scheme has no field that can be compared');
}

function literalTree(test: Test, negated: boolean, scheme: Scheme): Expression {
  const node = testTree(test, scheme);
  if (!negated) return node;
  // `!=` is the negation only where a missing value makes it true.
  if (scheme.missingNotEqual && node.kind === 'comparison' && node.relation?.kind === 'order' && node.relation.op === 'Equal') {
    return { ...node, relation: { ...node.relation, op: 'NotEqual' } };
  }
  return not(node);
}

function testTree(test: Test, scheme: Scheme): Expression {
  if (test.kind === 'quantified') {
    const inner = testTree(test.test, scheme);
    return quantified(test.quantifier, test.negated ? not(inner) : inner);
  }
  const left = operandTree(test.operand);
  switch (test.kind) {
    case 'flag':
      return comparison(left);
    case 'int':
      return protocolTree(test, scheme) ?? comparison(left, intRelation(test.operand, test.set, scheme));
    case 'bits':
      return comparison(left, { kind: 'bitwise-and', mask: intLiteral(test.mask) });
    case 'ip':
      return comparison(left, ipRelation(test.set));
    case 'bytes':
      return comparison(left, bytesRelation(test.values));
    case 'bytes-range':
      return bytesRangeTree(left, test);
    case 'contains':
      return comparison(left, { kind: 'contains', value: bytesLiteral(test.needle) });
    case 'matches':
      return comparison(left, {
        kind: 'matches',
        pattern: patternLiteral(new TextDecoder('utf-8', { ignoreBOM: true }).decode(test.pattern)),
      });
    case 'wildcard':
      return comparison(left, { kind: 'wildcard', strict: test.strict, pattern: bytesLiteral(test.pattern) });
    case 'list':
      return comparison(left, { kind: 'in-list', list: test.list });
  }
}

/** `ip.proto == "tcp"` for number 6; undefined where names do not say it. */
function protocolTree({ operand, set }: Extract<Test, { kind: 'int' }>, scheme: Scheme): Expression | undefined {
  if (operand.kind !== 'field' || operand.name !== 'ip.proto.num' || set.length > MAX_NAMES) return undefined;
  if (scheme.fields.get('ip.proto') !== PACKET_SCHEME.fields.get('ip.proto')) return undefined;
  const names: Uint8Array[] = [];
  for (const { first, last } of set) {
    for (let number = Number(first); number <= Number(last); number++) {
      const name = Object.entries(IP_PROTOCOLS).find(([, value]) => value === number)?.[0];
      if (name === undefined) return undefined;
      names.push(keyOctets(name));
    }
  }
  return comparison(treeField('ip.proto'), bytesRelation(names));
}

function intRelation(operand: Operand, set: RangeSet, scheme: Scheme): Relation {
  const only = onlyMember(set);
  if (only !== undefined) return { kind: 'order', op: 'Equal', value: intLiteral(only) };
  const [range] = set;
  const { min, max } = operandInfo(operand, scheme);
  if (range && set.length === 1) {
    if (range.last === max) return { kind: 'order', op: 'GreaterThanEqual', value: intLiteral(range.first) };
    if (range.first === min) return { kind: 'order', op: 'LessThanEqual', value: intLiteral(range.last) };
  }
  return { kind: 'in', items: set.map(({ first, last }) => (first === last ? intLiteral(first) : intRange(first, last))) };
}

function ipRelation(set: IpSet): Relation {
  const items = ipRanges(set).map(({ first, last }): SetItem => {
    const prefix = rangeAsPrefix(first, last);
    if (!prefix) return ipRange(first, last);
    return prefix.length === (first.family === 4 ? 32 : 128) ? ipLiteral(first) : prefixItem(prefix);
  });
  const [only] = items;
  return items.length === 1 && only?.kind === 'ip' ? { kind: 'order', op: 'Equal', value: only } : { kind: 'in', items };
}

function bytesRelation(values: readonly Uint8Array[]): Relation {
  const [only] = values;
  if (only && values.length === 1) return { kind: 'order', op: 'Equal', value: bytesLiteral(only) };
  return { kind: 'in', items: values.map(bytesLiteral) };
}

function bytesRangeTree(left: TreeOperand, { above, below }: Extract<Test, { kind: 'bytes-range' }>): Expression {
  const low =
    above && comparison(left, { kind: 'order', op: above.included ? 'GreaterThanEqual' : 'GreaterThan', value: bytesLiteral(above.value) });
  const high =
    below && comparison(left, { kind: 'order', op: below.included ? 'LessThanEqual' : 'LessThan', value: bytesLiteral(below.value) });
  if (low && high) return combine('and', [low, high]);
  return low ?? high ?? comparison(left, { kind: 'order', op: 'GreaterThanEqual', value: bytesLiteral(new Uint8Array(0)) });
}

function operandTree(operand: Operand): TreeOperand {
  switch (operand.kind) {
    case 'field':
      return treeField(operand.name);
    case 'slice':
      return call('bit_slice', [wordLiteral(operand.protocol), intLiteral(operand.start), intLiteral(operand.end)]);
    case 'call':
      return call(operand.name, operand.args.map(argumentTree));
    case 'index': {
      const { key } = operand;
      const of = operandTree(operand.of);
      if (key === 'each') return index(of, { kind: 'each' });
      return index(of, typeof key === 'number' ? { kind: 'array-index', value: key } : { kind: 'map-key', value: key });
    }
  }
}

function argumentTree(arg: Operand | Constant): Argument {
  if (isOperand(arg)) return operandTree(arg);
  switch (arg.kind) {
    case 'int':
      return intLiteral(arg.value);
    case 'bytes':
      return bytesLiteral(arg.value);
    case 'word':
      return wordLiteral(arg.value);
  }
}
