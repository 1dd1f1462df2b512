import { operatorSign } from './operators.ts';
import type { IndexKey, Literal, Node, Relation, Spelling, Tree } from './tree.ts';

/** The text of a tree: of a parsed one the text that was parsed, octet for octet. */
export function print(tree: Tree): string {
  return weave(tree.spelling, [printNode(tree.root)], ['', '']);
}

/** The text of a node. A node without spelling is written in the usual way, those inside it as they were. */
export function printNode(node: Node): string {
  switch (node.kind) {
    case 'combine':
      return weave(node.spelling, node.items.map(printNode), between(node.items.length, '', ` ${node.op} `, ''));
    case 'not':
      return weave(node.spelling, [printNode(node.arg)], ['not ', '']);
    case 'group':
      return weave(node.spelling, [printNode(node.inner)], ['(', ')']);
    case 'quantified':
      return weave(node.spelling, [printNode(node.arg)], [`${node.quantifier}(`, ')']);
    case 'comparison':
      return printNode(node.left) + (node.relation ? printRelation(node.relation) : '');
    case 'field':
      return node.name;
    case 'call':
      return weave(node.spelling, node.args.map(printNode), between(node.args.length, `${node.name}(`, ', ', ')'));
    case 'index':
      return weave(node.spelling, [printNode(node.of)], ['', `[${printKey(node.key)}]`]);
    default:
      return node.text;
  }
}

function printRelation(relation: Relation): string {
  const sign = operatorSign(relation);
  switch (relation.kind) {
    case 'in':
      return weave(relation.spelling, relation.items.map(printNode), between(relation.items.length, ` ${sign} {`, ' ', '}'));
    case 'in-list':
      return weave(relation.spelling, [], [` ${sign} $${relation.list}`]);
    default:
      return weave(relation.spelling, [printNode(literalOf(relation))], [` ${sign} `, '']);
  }
}

function literalOf(relation: Exclude<Relation, { kind: 'in' | 'in-list' }>): Literal {
  switch (relation.kind) {
    case 'order':
    case 'contains':
      return relation.value;
    case 'bitwise-and':
      return relation.mask;
    case 'matches':
    case 'wildcard':
      return relation.pattern;
  }
}

/** What stands around and between `count` children. */
function between(count: number, open: string, separator: string, close: string): Spelling {
  return count === 0 ? [open + close] : [open, ...new Array<string>(count - 1).fill(separator), close];
}

function weave(spelling: Spelling | undefined, children: readonly string[], usual: Spelling): string {
  const pieces = spelling?.length === children.length + 1 ? spelling : usual;
  return pieces.map((piece, i) => piece + (children[i] ?? '')).join('');
}

function printKey(key: IndexKey): string {
  switch (key.kind) {
    case 'array-index':
      return String(key.value);
    case 'map-key':
      return quote(key.value);
    case 'each':
      return '*';
  }
}

/** Octets as a string literal: ASCII as it is, the rest as \xHH. */
export function quote(octets: Uint8Array): string {
  const inside = Array.from(octets, (octet) => {
    if (octet === 0x22 || octet === 0x5c) return `\\${String.fromCharCode(octet)}`;
    return octet >= 0x20 && octet < 0x7f ? String.fromCharCode(octet) : `\\x${octet.toString(16).padStart(2, '0')}`;
  });
  return `"${inside.join('')}"`;
}
