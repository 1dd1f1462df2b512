import type { Expr, Operand, Test } from '@weir/filter/ir';
import { testsOf } from './universe.ts';

/** Whether an expression asks for the mark, which rules can change. */
export function testsMark(expression: Expr): boolean {
  for (const test of testsOf(expression)) if (readsMark(test)) return true;
  return false;
}

function readsMark(test: Test): boolean {
  return test.kind === 'quantified' ? readsMark(test.test) : operandReadsMark(test.operand);
}

function operandReadsMark(operand: Operand): boolean {
  switch (operand.kind) {
    case 'field':
      return operand.name === 'meta.mark';
    case 'slice':
      return false;
    case 'index':
      return operandReadsMark(operand.of);
    case 'call':
      return operand.args.some((arg) =>
        arg.kind === 'int' || arg.kind === 'bytes' || arg.kind === 'word' ? false : operandReadsMark(arg),
      );
  }
}

/** The expression for packets whose mark is known; undefined when it asks for the mark otherwise than by its number. */
export function substituteMark(expression: Expr, mark: number): Expr | undefined {
  switch (expression.kind) {
    case 'constant':
      return expression;
    case 'literal': {
      const { test, negated } = expression;
      if (!readsMark(test)) return expression;
      if (test.kind === 'quantified' || test.operand.kind !== 'field') return undefined;
      if (test.kind === 'int')
        return { kind: 'constant', value: test.set.some(({ first, last }) => first <= mark && mark <= last) !== negated };
      if (test.kind === 'bits') return { kind: 'constant', value: ((BigInt(test.mask) & BigInt(mark)) !== 0n) !== negated };
      return undefined;
    }
    case 'and':
    case 'or':
    case 'xor': {
      const items = expression.items.map((item) => substituteMark(item, mark));
      const known = items.filter((item) => item !== undefined);
      return known.length < items.length ? undefined : { ...expression, items: known };
    }
  }
}
