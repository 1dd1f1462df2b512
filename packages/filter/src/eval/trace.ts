import type { Expr } from '../ir/expr.ts';
import { hasEach, operandKey, testOperand } from '../ir/operand.ts';
import { NO_LISTS, passes } from './evaluate.ts';
import { operandValue, operandValues } from './operand-value.ts';
import { printValue } from './print-value.ts';
import type { Lists, Subject, Value } from './value.ts';

/** A literal that was reached. */
export interface TraceStep {
  readonly literal: Extract<Expr, { kind: 'literal' }>;
  /** The name of what the literal looks at: `tcp.dstport`. */
  readonly operand: string;
  /** What it saw; undefined is missing. */
  readonly value: Value | undefined;
  /** Whether the test passed, before the literal's negation. */
  readonly passed: boolean;
  /** Whether the literal holds. */
  readonly holds: boolean;
}

export interface Trace {
  /** What `evaluate` says. */
  readonly value: boolean;
  /** In the order in which they were reached: what an `and` or `or` did not need any more is not there. */
  readonly steps: readonly TraceStep[];
  /** The literals that decided: each of them is why the value is what it is. Of `xor` all. */
  readonly because: readonly TraceStep[];
}

/** As `evaluate`, with what each literal that was reached saw. */
export function trace(expr: Expr, subject: Subject, lists: Lists = NO_LISTS): Trace {
  const steps: TraceStep[] = [];
  const { value, because } = follow(expr, subject, lists, steps);
  return { value, steps, because };
}

interface Followed {
  readonly value: boolean;
  readonly because: readonly TraceStep[];
}

function follow(expr: Expr, subject: Subject, lists: Lists, steps: TraceStep[]): Followed {
  switch (expr.kind) {
    case 'constant':
      return { value: expr.value, because: [] };
    case 'literal': {
      const step = reach(expr, subject, lists);
      steps.push(step);
      return { value: step.holds, because: [step] };
    }
    case 'and':
    case 'or': {
      const ends = expr.kind === 'or';
      const because: TraceStep[] = [];
      for (const item of expr.items) {
        const one = follow(item, subject, lists, steps);
        if (one.value === ends) return one;
        because.push(...one.because);
      }
      return { value: !ends, because };
    }
    case 'xor': {
      let value = expr.negated;
      const because: TraceStep[] = [];
      for (const item of expr.items) {
        const one = follow(item, subject, lists, steps);
        if (one.value) value = !value;
        because.push(...one.because);
      }
      return { value, because };
    }
  }
}

function reach(literal: Extract<Expr, { kind: 'literal' }>, subject: Subject, lists: Lists): TraceStep {
  const operand = testOperand(literal.test);
  const value = hasEach(operand) ? operandValues(operand, subject) : operandValue(operand, subject);
  const passed = passes(literal.test, subject, lists);
  return { literal, operand: operandKey(operand), value, passed, holds: passed !== literal.negated };
}

/** `tcp.dstport is 443`, `tcp.dstport is missing`. */
export function printSaw({ operand, value }: TraceStep): string {
  return value === undefined ? `${operand} is missing` : `${operand} is ${printValue(value)}`;
}
