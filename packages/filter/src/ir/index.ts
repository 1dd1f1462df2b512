/** The typed form of expressions. */
export type { Constant, Expr, IpSet, IrSpan, Operand, Range, RangeSet, Test } from './expr.ts';
