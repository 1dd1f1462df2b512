// Parses an expression, prints its tree as JSON, changes every port in it, and prints it again with all else as it was written:
//   node --conditions=source --import tsx packages/filter/examples/rewrite.ts ['EXPRESSION']
import { PACKET_SCHEME } from '@weir/filter/scheme';
import {
  type Expression,
  intLiteral,
  type Literal,
  parse,
  printJson,
  printNode,
  printProblem,
  replaceNode,
  treeToJson,
} from '@weir/filter/syntax';

const text = process.argv[2] ?? 'tcp.dstport==0x50  and\n  not (ip.src in $admins || tcp.dstport eq 8080)';
const result = parse(text, PACKET_SCHEME);

if ('problem' in result) {
  console.error(printProblem(text, result.problem));
  process.exit(2);
}
console.log(printJson(treeToJson(result.tree)));

/** The numbers that ports are compared with. */
function ports(node: Expression): readonly Literal[] {
  switch (node.kind) {
    case 'combine':
      return node.items.flatMap(ports);
    case 'not':
      return ports(node.arg);
    case 'group':
      return ports(node.inner);
    case 'quantified':
      return [];
    case 'comparison':
      return node.left.kind === 'field' && node.left.name === 'tcp.dstport' && node.relation?.kind === 'order' ? [node.relation.value] : [];
  }
}

const { root } = result.tree;
console.log(printNode(ports(root).reduce((node, port) => replaceNode(node, port, intLiteral(443)), root)));
