import { bindsTighter, group } from './build.ts';
import { printNode } from './print.ts';
import type { Argument, Expression, Operand, Relation, SetItem, Spelling } from './tree.ts';

type Part = Expression | Argument | SetItem;

/**
 * The expression with `from` (a node of it, by identity) replaced by `to`. All else keeps its spelling; parentheses are put around `to` where they are needed, and a
 * space between it and a neighbour that touched `from`. The spans stay those of the old text: print and parse again for new ones.
 * RangeError when `from` is not in it, or when its place takes no such node.
 */
export function replaceNode(root: Expression, from: Part, to: Part): Expression {
  const result = expression(root, from, to);
  if (result === root && from !== to) throw new RangeError('the node to be replaced is not in the tree');
  return result;
}

function expression(node: Expression, from: Part, to: Part): Expression {
  if (node === from) return asExpression(to);
  switch (node.kind) {
    case 'combine': {
      const items = node.items.map((item) => {
        const next = expression(item, from, to);
        return next === item || bindsTighter(next, node.op) ? next : group(next);
      });
      const at = changed(node.items, items);
      return at === undefined ? node : { ...node, items, spelling: apart(node.spelling, at, items[at]) };
    }
    case 'not': {
      const inner = expression(node.arg, from, to);
      if (inner === node.arg) return node;
      const arg = inner.kind === 'combine' ? group(inner) : inner;
      return { ...node, arg, spelling: apart(node.spelling, 0, arg) };
    }
    case 'group': {
      const inner = expression(node.inner, from, to);
      return inner === node.inner ? node : { ...node, inner };
    }
    case 'quantified': {
      const arg = argument(node.arg, from, to);
      if (arg === node.arg) return node;
      if (isLiteral(arg)) throw new RangeError('a literal is no argument of any and all');
      return { ...node, arg: arg.kind === 'combine' ? group(arg) : arg };
    }
    case 'comparison': {
      const left = operand(node.left, from, to);
      const right = node.relation && relation(node.relation, from, to);
      if (left === node.left && right === node.relation) return node;
      return { ...node, left, relation: left === node.left || !right ? right : { ...right, spelling: apart(right.spelling, -1, left) } };
    }
  }
}

function operand(node: Operand, from: Part, to: Part): Operand {
  if (node === from) {
    if (to.kind === 'field' || to.kind === 'call' || to.kind === 'index') return to;
    throw new RangeError(`a ${to.kind} is no operand`);
  }
  if (node.kind === 'index') {
    const of = operand(node.of, from, to);
    return of === node.of ? node : { ...node, of };
  }
  if (node.kind === 'field') return node;
  const args = node.args.map((arg) => argument(arg, from, to));
  return changed(node.args, args) === undefined ? node : { ...node, args };
}

function argument<A extends Argument>(node: A, from: Part, to: Part): A | Argument {
  if (node === from) {
    if (to.kind === 'int-range' || to.kind === 'ip-range' || to.kind === 'prefix') throw new RangeError(`a ${to.kind} is no argument`);
    return to.kind === 'combine' ? group(to) : to;
  }
  if (isLiteral(node)) return node;
  return node.kind === 'field' || node.kind === 'call' || node.kind === 'index' ? operand(node, from, to) : expression(node, from, to);
}

function relation(node: Relation, from: Part, to: Part): Relation {
  switch (node.kind) {
    case 'in-list':
      return node;
    case 'in': {
      const items = node.items.map((item) => (item === from ? asItem(to) : item));
      const at = changed(node.items, items);
      return at === undefined ? node : { ...node, items, spelling: apart(node.spelling, at, items[at]) };
    }
    case 'order':
    case 'contains':
      return node.value === from ? { ...node, value: asLiteral(to), spelling: apart(node.spelling, 0, to) } : node;
    case 'bitwise-and':
      return node.mask === from ? { ...node, mask: asLiteral(to), spelling: apart(node.spelling, 0, to) } : node;
    case 'matches':
    case 'wildcard':
      return node.pattern === from ? { ...node, pattern: asLiteral(to), spelling: apart(node.spelling, 0, to) } : node;
  }
}

function asExpression(part: Part): Expression {
  if (part.kind === 'combine' || part.kind === 'not' || part.kind === 'group' || part.kind === 'quantified' || part.kind === 'comparison')
    return part;
  throw new RangeError(`a ${part.kind} is no expression`);
}

function isLiteral(part: Part): part is Extract<Part, { readonly text: string }> {
  return 'text' in part;
}

function asItem(part: Part): SetItem {
  if (isLiteral(part)) return part;
  throw new RangeError(`a ${part.kind} is no value of a set`);
}

function asLiteral(part: Part) {
  const item = asItem(part);
  if (item.kind === 'int' || item.kind === 'ip' || item.kind === 'bytes' || item.kind === 'word') return item;
  throw new RangeError(`a ${item.kind} stands only inside { }`);
}

/** The index of the item that is another now. */
function changed(before: readonly unknown[], after: readonly unknown[]): number | undefined {
  const at = after.findIndex((item, i) => item !== before[i]);
  return at < 0 ? undefined : at;
}

/** What could grow together with a neighbour. */
const GROWS = /[A-Za-z0-9_.:/$-]/;

/** White space on the sides of child `at` where it would grow together with the text there. -1 is the left side of a comparison. */
function apart(spelling: Spelling | undefined, at: number, child: Part | undefined): Spelling | undefined {
  const text = child ? printNode(child) : '';
  return spelling?.map((piece, i) => {
    if (i === at && GROWS.test(piece.slice(-1)) && GROWS.test(text.charAt(0))) return `${piece} `;
    return i === at + 1 && GROWS.test(text.slice(-1)) && GROWS.test(piece.charAt(0)) ? ` ${piece}` : piece;
  });
}
