import { evaluate, type Lists, type Subject } from '@weir/filter/eval';
import { type Expr, operandLeaves, testOperand } from '@weir/filter/ir';

/** A packet of which not everything is known. */
export interface PartialPacket {
  /** What the packet may be: on what is known they agree, or a test is asked of each of them. */
  readonly variants: readonly Subject[];
  /** Whether the variants have all the values that this field can have. */
  knows(field: string): boolean;
}

/** What an expression says of a packet: true or false when it says so whatever the rest of the packet is (of each variant), undefined when that is not certain. */
export function evaluatePartly(expr: Expr, packet: PartialPacket, lists: Lists): boolean | undefined {
  switch (expr.kind) {
    case 'constant':
      return expr.value;
    case 'literal':
      return literal(expr, packet, lists);
    case 'and':
    case 'or': {
      const decides = expr.kind === 'or';
      let certain = true;
      for (const item of expr.items) {
        const value = evaluatePartly(item, packet, lists);
        if (value === decides) return decides;
        if (value === undefined) certain = false;
      }
      return certain ? !decides : undefined;
    }
    case 'xor': {
      let odd = expr.negated;
      for (const item of expr.items) {
        const value = evaluatePartly(item, packet, lists);
        if (value === undefined) return undefined;
        if (value) odd = !odd;
      }
      return odd;
    }
  }
}

function literal(expr: Extract<Expr, { kind: 'literal' }>, packet: PartialPacket, lists: Lists): boolean | undefined {
  const leaves = operandLeaves(testOperand(expr.test));
  if (!leaves.every((leaf) => leaf.kind === 'field' && packet.knows(leaf.name))) return undefined;
  const [first, ...others] = packet.variants;
  if (!first) return undefined;
  const value = evaluate(expr, first, lists);
  return others.every((other) => evaluate(expr, other, lists) === value) ? value : undefined;
}
