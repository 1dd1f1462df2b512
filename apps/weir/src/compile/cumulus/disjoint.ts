import { type Box, boxOf, packetExpr as x } from '@weir/filter/ir';

type Literals = Box['literals'];

/** The same packets in boxes of which no two share one; undefined when that takes more than `limit`. */
export function disjointBoxes(boxes: readonly Box[], limit: number): readonly Box[] | undefined {
  const out: Box[] = [];
  for (const box of boxes) {
    let pieces: readonly Box[] = [box];
    for (const taken of out) {
      pieces = pieces.flatMap((piece) => without(piece, taken.literals));
      if (pieces.length + out.length > limit) return undefined;
    }
    out.push(...pieces);
  }
  return out;
}

/** What is in the box and does not pass all literals, in pieces: the first is not passed; the first is and the second is not; ... */
export function without(box: Box, others: Literals): Box[] {
  if (!boxOf([...box.literals, ...others])) return [box];
  const literals = [...others].sort((a, b) => rank(a) - rank(b));
  return literals.flatMap((literal, i) => {
    const turned = x.test(literal.test, !literal.negated, literal.span);
    if (turned.kind === 'constant' && !turned.value) return [];
    const other = turned.kind === 'literal' ? [turned] : [];
    return boxOf([...box.literals, ...literals.slice(0, i), ...other]) ?? [];
  });
}

/** What is easier to leave out comes first: addresses, then what every packet has, then headers that may be missing. */
function rank({ test }: Literals[number]): number {
  if (test.kind === 'ip') return 0;
  if (test.kind === 'quantified' || test.operand.kind !== 'field') return 3;
  return /^(?:ip\.(?:ttl|tos|dscp|len)|meta\.)/.test(test.operand.name) ? 1 : 2;
}
