import type { Scheme, Type } from '../scheme/index.ts';
import type { Cursor } from './cursor.ts';
import type { Expression, Operand } from './tree.ts';

/** Parentheses, `not`, calls and quantifiers inside each other. */
export const MAX_NESTING = 128;

/** What the parsing functions share. */
export interface Context {
  readonly c: Cursor;
  readonly scheme: Scheme;
  /** The comparison that was parsed last, for what is said of an operator after it. */
  last: { readonly end: number; readonly message: string } | undefined;
}

/** An expression with its type: Bool, or Array(Bool) when `array`. */
export interface TypedExpression {
  readonly node: Expression;
  readonly array: boolean;
}

/** An operand with the type of what it gives; `each` when it has a `[*]` of its own, and so gives many. */
export interface TypedOperand {
  readonly node: Operand;
  readonly type: Type;
  readonly each: boolean;
}

/** One level deeper; a problem where the limit is reached. */
export function deeper({ c }: Context, depth: number): number {
  if (depth >= MAX_NESTING) c.fail(`parentheses, not, calls, any and all nest at most ${MAX_NESTING} deep`, c.at, c.at + 1);
  return depth + 1;
}
