import type { Scheme } from '../scheme/index.ts';
import type { Expr } from './expr.ts';
import type { Literal } from './fold.ts';
import { presence, testOperand } from './operand.ts';

/**
 * Negated tests of layer-4 fields that nothing beside them binds to a protocol: true of every packet of another one. A guard is, in an `and`, a test that only packets of
 * that protocol pass; in an `or`, the negation of one. `protocols` are guarded from outside.
 */
export function unguardedNegations(expr: Expr, scheme: Scheme, protocols: readonly number[] = []): readonly Literal[] {
  const found: Literal[] = [];
  look(expr, new Set(protocols), scheme, found);
  return found;
}

function look(expr: Expr, guarded: ReadonlySet<number>, scheme: Scheme, found: Literal[]): void {
  switch (expr.kind) {
    case 'constant':
    case 'xor':
      return;
    case 'literal': {
      const { protocol } = presence(testOperand(expr.test), scheme);
      if (expr.negated && protocol !== undefined && !guarded.has(protocol)) found.push(expr);
      return;
    }
    case 'and':
    case 'or': {
      let all = guarded;
      for (const item of expr.items) {
        const protocol = item.kind === 'literal' && item.negated === (expr.kind === 'or') ? guard(item, scheme) : undefined;
        if (protocol !== undefined && !all.has(protocol)) all = new Set([...all, protocol]);
      }
      for (const item of expr.items) look(item, all, scheme, found);
    }
  }
}

/** The protocol that a packet which passes the test has. */
function guard({ test }: Literal, scheme: Scheme): number | undefined {
  const operand = testOperand(test);
  if (test.kind === 'int' && operand.kind === 'field' && operand.name === 'ip.proto.num') {
    const [range] = test.set;
    return range && test.set.length === 1 && range.first === range.last ? Number(range.first) : undefined;
  }
  return presence(operand, scheme).protocol;
}
