import type { Cursor } from './cursor.ts';
import type { OrderOp, Relation } from './tree.ts';

/** What combines simple expressions, the one that binds loosest first. */
export const COMBINATIONS = [
  { op: 'or', words: ['or', '||'] },
  { op: 'xor', words: ['xor', '^^'] },
  { op: 'and', words: ['and', '&&'] },
] as const;

export const NOT: readonly string[] = ['not', '!'];

/** In the order in which they are tried; a word needs no boundary after it. */
const COMPARISONS: readonly Operator[] = [
  { word: 'in', kind: 'in' },
  { word: 'eq', kind: 'order', op: 'Equal' },
  { word: '==', kind: 'order', op: 'Equal' },
  { word: 'ne', kind: 'order', op: 'NotEqual' },
  { word: '!=', kind: 'order', op: 'NotEqual' },
  { word: 'ge', kind: 'order', op: 'GreaterThanEqual' },
  { word: '>=', kind: 'order', op: 'GreaterThanEqual' },
  { word: 'le', kind: 'order', op: 'LessThanEqual' },
  { word: '<=', kind: 'order', op: 'LessThanEqual' },
  { word: 'gt', kind: 'order', op: 'GreaterThan' },
  { word: '>', kind: 'order', op: 'GreaterThan' },
  { word: 'lt', kind: 'order', op: 'LessThan' },
  { word: '<', kind: 'order', op: 'LessThan' },
  { word: '&', kind: 'bitwise-and' },
  { word: 'bitwise_and', kind: 'bitwise-and' },
  { word: 'contains', kind: 'contains' },
  { word: '~', kind: 'matches' },
  { word: 'matches', kind: 'matches' },
  { word: 'wildcard', kind: 'wildcard', strict: false },
  { word: 'strict wildcard', kind: 'wildcard', strict: true },
];

export type Operator =
  | { readonly word: string; readonly kind: 'order'; readonly op: OrderOp }
  | { readonly word: string; readonly kind: 'wildcard'; readonly strict: boolean }
  | { readonly word: string; readonly kind: 'in' | 'bitwise-and' | 'contains' | 'matches' };

/** Which types an operator takes, and which operators a type has, for messages. */
export const TAKES: Readonly<Record<Operator['kind'], readonly string[]>> = {
  order: ['Int', 'Ip', 'Bytes'],
  in: ['Int', 'Ip', 'Bytes'],
  'bitwise-and': ['Int'],
  contains: ['Bytes'],
  matches: ['Bytes'],
  wildcard: ['Bytes'],
};

/** The comparison operator that comes next, not taken. */
export function seeComparison(c: Cursor): Operator | undefined {
  return COMPARISONS.find(({ word }) => c.sees(word));
}

export function takeWord(c: Cursor, words: readonly string[]): string | undefined {
  return words.find((word) => c.take(word));
}

const ORDER_SIGNS: Readonly<Record<OrderOp, string>> = {
  Equal: '==',
  NotEqual: '!=',
  GreaterThanEqual: '>=',
  LessThanEqual: '<=',
  GreaterThan: '>',
  LessThan: '<',
};

/** How a relation is usually written. */
export function operatorSign(relation: Relation): string {
  switch (relation.kind) {
    case 'order':
      return ORDER_SIGNS[relation.op];
    case 'bitwise-and':
      return '&';
    case 'wildcard':
      return relation.strict ? 'strict wildcard' : 'wildcard';
    case 'in-list':
      return 'in';
    default:
      return relation.kind;
  }
}
