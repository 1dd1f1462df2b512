import { printType, type Type } from '../scheme/index.ts';
import type { Context, TypedExpression, TypedOperand } from './context.ts';
import type { Cursor } from './cursor.ts';
import { lexBytes } from './lex-bytes.ts';
import { lexInt, lexIntItem } from './lex-int.ts';
import { lexIp, lexIpItem } from './lex-ip.ts';
import { lexRegex, lexWildcard } from './lex-pattern.ts';
import { type Operator, seeComparison, TAKES } from './operators.ts';
import type { Expression, Literal, Relation, SetItem } from './tree.ts';

const LIST = /[a-z0-9_.]*/y;
const TAB = 'a tab is no white space here: only space, CR and LF are';
const MISTAKES = [
  ['\t', TAB],
  ['=', 'equality is written == or eq'],
  ['strict', 'strict wildcard is written with one space'],
  ['not', 'the opposite of == is !=, that of the others is not before the field'],
] as const;
const OPERATORS: Readonly<Record<string, string>> = {
  Int: 'one of == != >= <= > < & in',
  Ip: 'one of == != >= <= > < in',
  Bytes: 'one of == != >= <= > < contains matches wildcard, strict wildcard, in',
};

/** Whether a comparison operator follows, white space skipped. Nothing is taken. */
export function seesRelation(c: Cursor): boolean {
  const start = c.at;
  c.skipSpace();
  const found = seeComparison(c) !== undefined;
  c.at = start;
  return found;
}

/** What follows an operand: nothing where it is a Bool or an Array(Bool), an operator and a literal of its type elsewhere. */
export function parseComparison(p: Context, left: TypedOperand): TypedExpression {
  const { c } = p;
  const { type, each, node } = left;
  const { start } = node.span;
  const name = c.from(start);
  const done = (relation: Relation | undefined, message: string): Expression => {
    p.last = { end: c.at, message };
    return { kind: 'comparison', left: node, relation, span: c.span(start) };
  };
  if (type.kind === 'Bool') return { node: done(undefined, `${name} is a Bool: it stands alone, without an operator`), array: each };
  if (type.kind === 'Array' && type.of.kind === 'Bool' && !each) {
    return { node: done(undefined, `${name} is an Array(Bool): it stands alone, in any(...) or all(...)`), array: true };
  }
  if (type.kind === 'Array' || type.kind === 'Map') {
    const index = type.kind === 'Array' ? '[0]' : '["key"]';
    c.fail(
      `${name} is of type ${printType(type)}: take one value with ${index}, or every value with [*] inside any(...) or all(...)`,
      start,
    );
  }
  const relation = parseRelation(p, type, name);
  const message =
    relation.kind === 'bitwise-and'
      ? 'x & n by itself asks whether one of the bits is set; its result is compared with nothing'
      : 'a comparison is one field, one operator and one literal';
  return { node: done(relation, message), array: each };
}

function parseRelation(p: Context, type: Type, name: string): Relation {
  const { c } = p;
  const start = c.at;
  c.skipSpace();
  const operator = seeComparison(c);
  if (!operator) {
    const hint = MISTAKES.find(([word]) => c.sees(word))?.[1];
    return c.fail(hint ?? `${name} is of type ${printType(type)}: expected ${OPERATORS[type.kind]}`, c.at, c.at + 1);
  }
  const at = c.at;
  c.take(operator.word);
  if (!TAKES[operator.kind].includes(type.kind)) {
    c.fail(`${operator.word} is for ${TAKES[operator.kind].join(', ')}; ${name} is of type ${printType(type)}`, at);
  }
  c.skipSpace();
  if (c.sees('\t')) c.fail(TAB, c.at, c.at + 1);
  if (operator.kind === 'in') return parseIn(p, type, start);
  const spelling = [c.from(start), ''];
  return simpleRelation(c, operator, type, spelling);
}

function simpleRelation(c: Cursor, operator: Operator, type: Type, spelling: readonly string[]): Relation {
  switch (operator.kind) {
    case 'order':
      return { kind: 'order', op: operator.op, value: lexLiteral(c, type), spelling };
    case 'bitwise-and':
      return { kind: 'bitwise-and', mask: lexInt(c), spelling };
    case 'matches':
      return { kind: 'matches', pattern: lexRegex(c), spelling };
    case 'wildcard':
      return { kind: 'wildcard', strict: operator.strict, pattern: lexWildcard(c), spelling };
    default:
      return { kind: 'contains', value: lexBytes(c), spelling };
  }
}

/** After `in`: a list's name, or values with white space or nothing between them. */
function parseIn(p: Context, type: Type, start: number): Relation {
  const { c } = p;
  if (c.take('$')) {
    const at = c.at;
    const list = c.match(LIST);
    if (list === '') c.fail('expected the name of a list: a-z, 0-9, _ and dots', at, at + 1);
    if (list.startsWith('.') || list.endsWith('.')) c.fail(`${list} is not the name of a list: it begins or ends with a dot`, at);
    return { kind: 'in-list', list, spelling: [c.from(start)] };
  }
  const open = c.at;
  if (!c.take('{')) c.fail('expected { or $ after in', c.at, c.at + 1);
  const items: SetItem[] = [];
  const spelling: string[] = [];
  for (let from = start; ; ) {
    c.skipSpace();
    if (c.take('}')) return { kind: 'in', items, spelling: [...spelling, c.from(from)] };
    if (c.atEnd) c.fail('this { is not closed', open, open + 1);
    if (c.sees(',')) c.fail('values are separated by white space, without commas', c.at, c.at + 1);
    if (c.sees('\t')) c.fail(TAB, c.at, c.at + 1);
    spelling.push(c.from(from));
    items.push(lexItem(c, type));
    from = c.at;
  }
}

/** A literal of a type. */
export function lexLiteral(c: Cursor, type: Type): Literal {
  return type.kind === 'Int' ? lexInt(c) : type.kind === 'Ip' ? lexIp(c) : lexBytes(c);
}

function lexItem(c: Cursor, type: Type): SetItem {
  return type.kind === 'Int' ? lexIntItem(c) : type.kind === 'Ip' ? lexIpItem(c) : lexBytes(c);
}
