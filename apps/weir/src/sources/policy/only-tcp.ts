import { type Expr, presence, testOperand } from '@weir/filter/ir';
import { PACKET_SCHEME } from '@weir/filter/scheme';

const TCP = 6;

/** Whether it can be seen that only TCP passes: some part of a conjunction, or every part of a disjunction, needs it. */
export function onlyTcp(expr: Expr): boolean {
  switch (expr.kind) {
    case 'constant':
      return !expr.value;
    case 'xor':
      return false;
    case 'and':
      return expr.items.some(onlyTcp);
    case 'or':
      return expr.items.every(onlyTcp);
    case 'literal': {
      if (expr.negated) return false;
      const operand = testOperand(expr.test);
      if (expr.test.kind === 'int' && operand.kind === 'field' && operand.name === 'ip.proto.num') {
        return expr.test.set.every(({ first, last }) => first === TCP && last === TCP);
      }
      return presence(operand, PACKET_SCHEME).protocol === TCP;
    }
  }
}
