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
function without(box: Box, literals: Literals): Box[] {
  if (!boxOf([...box.literals, ...literals])) return [box];
  return literals.flatMap((literal, i) => {
    const turned = x.test(literal.test, !literal.negated, literal.span);
    if (turned.kind === 'constant' && !turned.value) return [];
    const other = turned.kind === 'literal' ? [turned] : [];
    return boxOf([...box.literals, ...literals.slice(0, i), ...other]) ?? [];
  });
}
