import { type Context, deeper, type TypedExpression, type TypedOperand } from './context.ts';
import { COMBINATIONS, NOT, takeWord } from './operators.ts';
import { parseComparison, seesRelation } from './parse-comparison.ts';
import { parseOperand } from './parse-operand.ts';
import { position } from './problem.ts';
import type { Expression, Operand } from './tree.ts';
import { unexpected } from './unexpected.ts';

const QUANTIFIER = /(?:any|all)(?=[ \r\n]*\()/y;

/** Simple expressions with `or`, `xor` and `and` between them. */
export function parseExpression(p: Context, depth: number, level = 0): TypedExpression {
  const { c } = p;
  const combination = COMBINATIONS[level];
  if (!combination) return parseSimple(p, depth);
  const first = parseExpression(p, depth, level + 1);
  const items = [first.node];
  const spelling = [''];
  for (;;) {
    const end = c.at;
    c.skipSpace();
    if (takeWord(c, combination.words) === undefined) {
      c.at = end;
      break;
    }
    c.skipSpace();
    spelling.push(c.from(end));
    const next = parseExpression(p, depth, level + 1);
    if (next.array !== first.array) {
      const { start, end: last } = next.node.span;
      const [one, other] = first.array ? ['Array(Bool)', 'Bool'] : ['Bool', 'Array(Bool)'];
      c.fail(
        `${combination.op} is between two of one type, here are ${one} and ${other}: any(...) or all(...) makes a Bool of an Array(Bool)`,
        start,
        last,
      );
    }
    items.push(next.node);
  }
  if (items.length === 1) return first;
  spelling.push('');
  return { node: { kind: 'combine', op: combination.op, items, span: c.span(first.node.span.start), spelling }, array: first.array };
}

/** Parentheses, `not`, a quantifier or a comparison. */
function parseSimple(p: Context, depth: number): TypedExpression {
  const { c } = p;
  const start = c.at;
  if (c.sees('(')) {
    const inside = deeper(p, depth);
    c.take('(');
    c.skipSpace();
    const open = c.from(start);
    const inner = parseExpression(p, inside);
    const close = closing(p, start);
    return { node: { kind: 'group', inner: inner.node, span: c.span(start), spelling: [open, close] }, array: inner.array };
  }
  if (NOT.some((word) => c.sees(word))) {
    const inside = deeper(p, depth);
    takeWord(c, NOT);
    c.skipSpace();
    const operator = c.from(start);
    const arg = parseSimple(p, inside);
    return { node: { kind: 'not', arg: arg.node, span: c.span(start), spelling: [operator, ''] }, array: arg.array };
  }
  return c.look(QUANTIFIER) === '' ? parseComparison(p, parseOperand(p, depth)) : { node: quantified(p, depth), array: false };
}

function quantified(p: Context, depth: number): Expression {
  const { c } = p;
  const start = c.at;
  const quantifier = c.match(QUANTIFIER) === 'any' ? 'any' : 'all';
  c.skipSpace();
  const open = c.at;
  const inside = deeper(p, depth);
  c.take('(');
  c.skipSpace();
  const opening = c.from(start);
  const arg = quantifiedArgument(p, inside, quantifier);
  return { kind: 'quantified', quantifier, arg, spelling: [opening, closing(p, open, 'expected ) of')], span: c.span(start) };
}

/** What has the type Array(Bool): a comparison over `[*]`, or a field or call with such a value. */
function quantifiedArgument(p: Context, depth: number, quantifier: string): Expression | Operand {
  const { c } = p;
  const start = c.at;
  if (c.sees('"') || c.sees('r"') || c.sees('r#')) c.fail(`${quantifier} is over an Array(Bool), not over a literal`, start, start + 1);
  const arg = parseValue(p, depth);
  const isArray = 'array' in arg ? arg.array : arg.type.kind === 'Array' && arg.type.of.kind === 'Bool' && !arg.each;
  // `any(flags[*])` is the comparison that it looks like.
  if (!('array' in arg) && arg.each && arg.type.kind === 'Bool') return parseComparison(p, arg).node;
  if (!isArray) {
    c.fail(`${quantifier} is over an Array(Bool), such as a comparison of a field with [*]`, start, arg.node.span.end);
  }
  return arg.node;
}

/**
 * An argument that is no literal. As in the original engine, one that begins with (, `not` or a quantifier may be combined, another is an operand or a single comparison:
 * `any((a[*] == 1 or b[*] == 2))` has its own parentheses.
 */
export function parseValue(p: Context, depth: number): TypedExpression | TypedOperand {
  const { c } = p;
  if (c.sees('(') || NOT.some((word) => c.sees(word)) || c.look(QUANTIFIER) !== '') return parseExpression(p, depth);
  const operand = parseOperand(p, depth);
  return seesRelation(c) ? parseComparison(p, operand) : operand;
}

/** White space and the `)` of the `(` at `open`. */
export function closing(p: Context, open: number, expected = 'expected and, or, xor or the ) of'): string {
  const { c } = p;
  const start = c.at;
  c.skipSpace();
  if (c.take(')')) return c.from(start);
  const { line, column } = position(c.text, open);
  return unexpected(p, start, `${expected} the ( at ${line}:${column}`);
}
