import { type Ip, type Prefix, printIp, printPrefix } from '@weir/wire/inet';
import type { Int } from '../scheme/index.ts';
import { quote } from './print.ts';
import type {
  Argument,
  BytesLiteral,
  Expression,
  IndexKey,
  IntLiteral,
  IpLiteral,
  Literal,
  Operand,
  Relation,
  SetItem,
  Span,
} from './tree.ts';

/** The span of what was not parsed. */
export const BUILT: Span = { start: 0, end: 0 };

export function intLiteral(value: Int): IntLiteral {
  return { kind: 'int', value, text: String(value), span: BUILT };
}

export function ipLiteral(value: Ip): IpLiteral {
  return { kind: 'ip', value, text: printIp(value), span: BUILT };
}

export function bytesLiteral(value: Uint8Array): BytesLiteral {
  return { kind: 'bytes', value, form: 'string', text: quote(value), span: BUILT };
}

/** A regular expression or wildcard as a raw string where it can be one. RangeError where no string can say it. */
export function patternLiteral(source: string): BytesLiteral {
  const value = new TextEncoder().encode(source);
  for (let hashes = ''; hashes.length <= 4; hashes += '#') {
    if (!source.includes(`"${hashes}`)) return { kind: 'bytes', value, form: 'raw', text: `r${hashes}"${source}"${hashes}`, span: BUILT };
  }
  throw new RangeError('a pattern with "#### in it cannot be written');
}

export function wordLiteral(value: string): Literal {
  return { kind: 'word', value, text: value, span: BUILT };
}

export function intRange(first: Int, last: Int): SetItem {
  return { kind: 'int-range', first, last, text: `${first}..${last}`, span: BUILT };
}

export function ipRange(first: Ip, last: Ip): SetItem {
  return { kind: 'ip-range', first, last, text: `${printIp(first)}..${printIp(last)}`, span: BUILT };
}

export function prefixItem(value: Prefix): SetItem {
  return { kind: 'prefix', value, text: printPrefix(value), span: BUILT };
}

export function field(name: string): Operand {
  return { kind: 'field', name, span: BUILT };
}

export function call(name: string, args: readonly Argument[]): Operand {
  return { kind: 'call', name, args, span: BUILT };
}

export function index(of: Operand, key: IndexKey): Operand {
  return { kind: 'index', of, key, span: BUILT };
}

/** Without a relation a Bool alone. */
export function comparison(left: Operand, relation?: Relation): Expression {
  return { kind: 'comparison', left, relation, span: BUILT };
}

export function group(inner: Expression): Expression {
  return { kind: 'group', inner, span: BUILT };
}

/** Of what binds looser than `not` in parentheses. */
export function not(arg: Expression): Expression {
  return { kind: 'not', arg: arg.kind === 'combine' ? group(arg) : arg, span: BUILT };
}

/** With parentheses around a combination that would otherwise be combined in another way. */
export function combine(op: 'and' | 'xor' | 'or', items: readonly [Expression, Expression, ...Expression[]]): Expression {
  return { kind: 'combine', op, items: items.map((item) => (bindsTighter(item, op) ? item : group(item))), span: BUILT };
}

/** With parentheses around a combination that needs them as an argument. */
export function quantified(quantifier: 'any' | 'all', arg: Expression | Operand): Expression {
  return { kind: 'quantified', quantifier, arg: arg.kind === 'combine' ? group(arg) : arg, span: BUILT };
}

const BINDING = { or: 0, xor: 1, and: 2 } as const;

/** Whether an expression can be an item of a combination by `op` without parentheses. */
export function bindsTighter(item: Expression, op: 'and' | 'xor' | 'or'): boolean {
  return item.kind !== 'combine' || BINDING[item.op] > BINDING[op];
}
