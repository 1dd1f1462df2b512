import {
  type Argument,
  type Expression,
  type Node,
  type Operand,
  parse,
  print,
  printJson,
  printNode,
  printProblem,
  replaceNode,
  type SetItem,
  type Tree,
  treeToJson,
} from '@weir/filter/syntax';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawFrom, expressions, RECORDS, respell, treeOf } from './random-tree.ts';

const anyLength = { maxLength: Number.POSITIVE_INFINITY };

function parsed(text: string): Tree {
  const result = parse(text, RECORDS, anyLength);
  if ('problem' in result) throw new Error(printProblem(text, result.problem));
  return result.tree;
}

const json = (root: Expression): string => printJson(treeToJson(treeOf(root)));

describe('random expressions', () => {
  it('printed and parsed are the same', () => {
    fc.assert(
      fc.property(expressions, (root) => {
        expect(json(parsed(printNode(root)).root)).toBe(json(root));
      }),
      { numRuns: 150 },
    );
  });

  it('in any spelling are printed as they were written, and mean the same', () => {
    fc.assert(
      fc.property(expressions, fc.nat(), fc.constantFrom('', ' ', '\n\t'), (root, seed, around) => {
        const text = around + printNode(respell(root, drawFrom(seed))) + around;
        const tree = parsed(text);
        expect(print(tree)).toBe(text);
        expect(json(tree.root)).toBe(json(root));
      }),
      { numRuns: 150 },
    );
  });

  it('cut anywhere give a tree or a problem inside the text', () => {
    fc.assert(
      fc.property(expressions, fc.nat(), fc.nat(), (root, seed, at) => {
        const whole = printNode(respell(root, drawFrom(seed)));
        const text = whole.slice(0, at % whole.length);
        const result = parse(text, RECORDS, anyLength);
        if ('tree' in result) expect(print(result.tree)).toBe(text);
        else expect(result.problem.span.start <= result.problem.span.end && result.problem.span.end <= text.length).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it('have spans that are the text of their nodes', () => {
    fc.assert(
      fc.property(expressions, fc.nat(), (root, seed) => {
        const tree = parsed(printNode(respell(root, drawFrom(seed))));
        for (const node of nodesOf(tree.root)) expect(tree.text.slice(node.span.start, node.span.end)).toBe(printNode(node));
      }),
      { numRuns: 200 },
    );
  });

  it('with a node replaced are parsed as what was built, and keep the rest', () => {
    fc.assert(
      fc.property(expressions, expressions, fc.nat(), fc.nat(), (root, other, seed, at) => {
        const tree = parsed(printNode(respell(root, drawFrom(seed))));
        const candidates = nodesOf(tree.root).filter((node) => isExpression(node) && !insideQuantified(tree.root, node));
        const from = candidates[at % candidates.length]!;
        const changed = replaceNode(tree.root, from, other);
        expect(json(parsed(printNode(changed)).root)).toBe(json(changed));
        // What stands around the node is as it was, but for parentheses around it and spaces.
        const squeezed = (text: string): string => text.replace(/\s+/g, '');
        expect(squeezed(printNode(changed)).startsWith(squeezed(tree.text.slice(0, from.span.start)))).toBe(true);
        expect(squeezed(printNode(changed)).endsWith(squeezed(tree.text.slice(from.span.end)))).toBe(true);
      }),
      { numRuns: 150 },
    );
  });
});

function isExpression(node: Node): node is Expression {
  return ['combine', 'not', 'group', 'quantified', 'comparison'].includes(node.kind);
}

/** Every node, from the root down. */
function nodesOf(node: Node): readonly Node[] {
  return [node, ...childrenOf(node).flatMap(nodesOf)];
}

function childrenOf(node: Node): readonly (Expression | Argument | Operand | SetItem)[] {
  switch (node.kind) {
    case 'combine':
      return node.items;
    case 'not':
    case 'quantified':
      return [node.arg];
    case 'group':
      return [node.inner];
    case 'call':
      return node.args;
    case 'index':
      return [node.of];
    case 'comparison': {
      const { relation } = node;
      if (!relation || relation.kind === 'in-list') return [node.left];
      if (relation.kind === 'in') return [node.left, ...relation.items];
      return [node.left, 'value' in relation ? relation.value : 'mask' in relation ? relation.mask : relation.pattern];
    }
    default:
      return [];
  }
}

/** Whether a node stands where an Array(Bool) does. */
function insideQuantified(root: Expression, node: Node): boolean {
  return nodesOf(root).some((outer) => outer.kind === 'quantified' && outer !== node && nodesOf(outer).includes(node));
}
