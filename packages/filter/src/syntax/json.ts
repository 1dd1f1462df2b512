import { isHost, printIp, printPrefix } from '@weir/wire/inet';
import type { Int } from '../scheme/index.ts';
import type { Argument, Expression, IndexKey, Literal, Operand, Relation, SetItem, Tree } from './tree.ts';
import { decodeUtf8 } from './utf8.ts';

/** A JSON value; integers that are no safe `number` are `bigint`. */
export type Json = string | boolean | Int | readonly Json[] | { readonly [key: string]: Json };

/** A tree in the original engine's shape (docs/filter-language.md): parentheses and spelling are not in it. */
export function treeToJson(tree: Tree): Json {
  return expression(tree.root);
}

/** JSON text on one line, with every digit of an integer. */
export function printJson(value: Json): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object') return String(value);
  if (isList(value)) return `[${value.map(printJson).join(',')}]`;
  return `{${Object.entries(value)
    .map(([key, inner]) => `${JSON.stringify(key)}:${printJson(inner)}`)
    .join(',')}}`;
}

/** `Array.isArray` does not know readonly arrays. */
function isList(value: object): value is readonly Json[] {
  return Array.isArray(value);
}

const COMBINE = { and: 'And', or: 'Or', xor: 'Xor' } as const;

function expression(node: Expression): Json {
  switch (node.kind) {
    case 'combine':
      return { op: COMBINE[node.op], items: node.items.map(expression) };
    case 'not':
      return { op: 'Not', arg: expression(node.arg) };
    case 'group':
      return expression(node.inner);
    case 'quantified':
      return { op: node.quantifier === 'any' ? 'Any' : 'All', arg: argument(node.arg) };
    case 'comparison': {
      const lhs = operand(node.left);
      return node.relation ? { lhs, ...relation(node.relation) } : { lhs, op: 'IsTrue' };
    }
  }
}

function operand(node: Operand): Json {
  const indexes: Json[] = [];
  let of = node;
  for (; of.kind === 'index'; of = of.of) indexes.unshift(key(of.key));
  const base: Json = of.kind === 'field' ? of.name : { name: of.name, args: of.args.map(argument) };
  return indexes.length === 0 ? base : [base, ...indexes];
}

function key(index: IndexKey): Json {
  switch (index.kind) {
    case 'array-index':
      return { kind: 'ArrayIndex', value: index.value };
    case 'map-key':
      return { kind: 'MapKey', value: decodeUtf8(index.value) ?? Array.from(index.value) };
    case 'each':
      return { kind: 'MapEach' };
  }
}

function argument(node: Argument): Json {
  switch (node.kind) {
    case 'field':
    case 'call':
    case 'index':
      return { kind: 'IndexExpr', value: operand(node) };
    case 'int':
    case 'ip':
    case 'bytes':
    case 'word':
      return { kind: 'Literal', value: literal(node) };
    default:
      return { kind: 'SimpleExpr', value: expression(node) };
  }
}

function relation(node: Relation): { readonly op: string; readonly rhs: Json } {
  switch (node.kind) {
    case 'order':
      return { op: node.op, rhs: literal(node.value) };
    case 'bitwise-and':
      return { op: 'BitwiseAnd', rhs: literal(node.mask) };
    case 'contains':
      return { op: 'Contains', rhs: literal(node.value) };
    case 'matches':
      return { op: 'Matches', rhs: literal(node.pattern) };
    case 'wildcard':
      return { op: node.strict ? 'Strict Wildcard' : 'Wildcard', rhs: literal(node.pattern) };
    case 'in':
      return { op: 'OneOf', rhs: node.items.map(setItem) };
    case 'in-list':
      return { op: 'InList', rhs: node.list };
  }
}

function setItem(item: SetItem): Json {
  switch (item.kind) {
    case 'int':
      return { start: item.value, end: item.value };
    case 'int-range':
      return { start: item.first, end: item.last };
    case 'ip-range':
      return { start: printIp(item.first), end: printIp(item.last) };
    case 'prefix':
      // As the original engine has it, a prefix of one address is that address.
      return isHost(item.value) ? printIp(item.value) : printPrefix(item.value);
    default:
      return literal(item);
  }
}

function literal(node: Literal): Json {
  switch (node.kind) {
    case 'int':
    case 'word':
      return node.value;
    case 'ip':
      return printIp(node.value);
    case 'bytes':
      return (node.form === 'hex' ? undefined : decodeUtf8(node.value)) ?? Array.from(node.value);
  }
}
