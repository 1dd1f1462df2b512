/** Expressions as text. */
export type { Argument, Expression, IndexKey, Literal, Operand, OrderOp, Relation, SetItem, Span, SyntaxProblem, Tree } from './tree.ts';
