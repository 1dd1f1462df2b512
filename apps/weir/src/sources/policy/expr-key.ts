import type { Constant, Expr, Operand, RangeSet, Test } from '@weir/filter/ir';
import type { Int } from '@weir/filter/scheme';

/** The same text for expressions that are written alike in normal form, and never for two that differ. */
export function exprKey(expr: Expr): string {
  switch (expr.kind) {
    case 'constant':
      return String(expr.value);
    case 'literal':
      return `${expr.negated ? '!' : ''}${testKey(expr.test)}`;
    case 'and':
    case 'or':
      return `(${expr.items.map(exprKey).sort().join(` ${expr.kind} `)})`;
    case 'xor':
      return `${expr.negated ? '!' : ''}(${expr.items.map(exprKey).sort().join(' xor ')})`;
  }
}

function testKey(test: Test): string {
  if (test.kind === 'quantified') return `${test.quantifier}(${test.negated ? '!' : ''}${testKey(test.test)})`;
  const operand = operandKey(test.operand);
  switch (test.kind) {
    case 'flag':
      return operand;
    case 'int':
      return `${operand}:${rangesKey(test.set)}`;
    case 'bits':
      return `${operand}&${test.mask}`;
    case 'ip':
      return `${operand}:${rangesKey(test.set.v4)}/${rangesKey(test.set.v6)}`;
    case 'bytes':
      return `${operand}:${test.values.map(hex).join(',')}`;
    case 'bytes-range':
      return `${operand}:${edge(test.above)}..${edge(test.below)}`;
    case 'contains':
      return `${operand}~${hex(test.needle)}`;
    case 'matches':
      return `${operand}~~${hex(test.pattern)}`;
    case 'wildcard':
      return `${operand}${test.strict ? '=*' : '*'}${hex(test.pattern)}`;
    case 'list':
      return `${operand}$${test.list}`;
  }
}

function edge(at: { readonly value: Uint8Array; readonly included: boolean } | undefined): string {
  return at ? `${hex(at.value)}${at.included ? '=' : ''}` : '';
}

/** Hexadecimal: of the integers of IPv6 it is the fast one to make. */
function digits(value: Int): string {
  return value.toString(16);
}

/** Sets are shared between rules and may be large. */
const KEYS = new WeakMap<RangeSet, string>();

function rangesKey(set: RangeSet): string {
  if (set.length < 8) return printRanges(set);
  let key = KEYS.get(set);
  if (key === undefined) {
    key = printRanges(set);
    KEYS.set(set, key);
  }
  return key;
}

function printRanges(set: RangeSet): string {
  return set.map(({ first, last }) => (first === last ? digits(first) : `${digits(first)}-${digits(last)}`)).join(',');
}

function operandKey(operand: Operand | Constant): string {
  switch (operand.kind) {
    case 'field':
      return operand.name;
    case 'slice':
      return `slice(${operand.protocol},${operand.start},${operand.end})`;
    case 'call':
      return `${operand.name}(${operand.args.map(operandKey).join(',')})`;
    case 'index':
      return `${operandKey(operand.of)}[${operand.key instanceof Uint8Array ? hex(operand.key) : operand.key}]`;
    case 'int':
      return `#${operand.value}`;
    case 'bytes':
      return `'${hex(operand.value)}`;
    case 'word':
      return `"${operand.value}`;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
