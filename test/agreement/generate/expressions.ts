import type { Random } from '../../e2e/random.ts';
import { type AtomContext, makeAtom } from './atoms.ts';

/** An expression as it was made, so that it can be taken apart again. */
export type Node =
  /** `key` says what it asks of which field: what has been seen true and false is counted by it. */
  | { readonly kind: 'atom'; readonly text: string; readonly key: string }
  | { readonly kind: 'not'; readonly arg: Node }
  | { readonly kind: 'and' | 'or' | 'xor'; readonly items: readonly Node[] };

/** One expression of some comparisons, at most `depth` deep. */
export function makeExpression(random: Random, context: AtomContext, depth = 3): Node {
  const kind = random.below(10);
  if (depth === 0 || kind < 3) return makeAtom(random, context);
  if (kind === 3) return { kind: 'not', arg: makeExpression(random, context, depth - 1) };
  const items = Array.from({ length: 2 + random.below(2) }, () => makeExpression(random, context, depth - 1));
  return { kind: kind < 7 ? 'and' : kind < 9 ? 'or' : 'xor', items };
}

export function printNode(node: Node): string {
  switch (node.kind) {
    case 'atom':
      return node.text;
    case 'not':
      return `not ${inner(node.arg)}`;
    case 'and':
    case 'or':
    case 'xor':
      return node.items.map(inner).join(` ${node.kind} `);
  }
}

function inner(node: Node): string {
  return node.kind === 'atom' ? node.text : `(${printNode(node)})`;
}

/** Simpler expressions, the simplest first: parts in the place of the whole, then the whole with one part less or simpler. */
export function smallerNodes(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'atom':
      return [];
    case 'not':
      return [node.arg, ...smallerNodes(node.arg).map((arg): Node => ({ kind: 'not', arg }))];
    case 'and':
    case 'or':
    case 'xor': {
      const { kind, items } = node;
      const fewer = items.length > 2 ? items.map((_, i): Node => ({ kind, items: items.filter((__, k) => k !== i) })) : [];
      const simpler = items.flatMap((item, i) =>
        smallerNodes(item).map((one): Node => ({ kind, items: items.map((old, k) => (k === i ? one : old)) })),
      );
      return [...items, ...fewer, ...simpler];
    }
  }
}
