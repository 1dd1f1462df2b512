import type { Ip, Prefix } from '@weir/wire/inet';
import type { Int } from '../scheme/index.ts';

/** A stretch of the text: UTF-16 offsets, `end` is one past the last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Operators by the JSON names of the original engine. */
export type OrderOp = 'Equal' | 'NotEqual' | 'GreaterThanEqual' | 'LessThanEqual' | 'GreaterThan' | 'LessThan';

/** A literal; `text` is how it was written, which the value alone does not tell (0x2a, r#"..."#, 0a:0b). */
export type Literal =
  | { readonly kind: 'int'; readonly value: Int; readonly text: string; readonly span: Span }
  | { readonly kind: 'ip'; readonly value: Ip; readonly text: string; readonly span: Span }
  | {
      readonly kind: 'bytes';
      readonly value: Uint8Array;
      readonly form: 'string' | 'raw' | 'hex';
      readonly text: string;
      readonly span: Span;
    }
  /** A word among those that a parameter takes. */
  | { readonly kind: 'word'; readonly value: string; readonly text: string; readonly span: Span };

/** What stands between { and }. */
export type SetItem =
  | Literal
  | { readonly kind: 'int-range'; readonly first: Int; readonly last: Int; readonly text: string; readonly span: Span }
  | { readonly kind: 'ip-range'; readonly first: Ip; readonly last: Ip; readonly text: string; readonly span: Span }
  | { readonly kind: 'prefix'; readonly value: Prefix; readonly text: string; readonly span: Span };

export type Relation =
  | { readonly kind: 'order'; readonly op: OrderOp; readonly value: Literal }
  | { readonly kind: 'bitwise-and'; readonly mask: Literal }
  | { readonly kind: 'contains'; readonly value: Literal }
  | { readonly kind: 'matches'; readonly pattern: Literal }
  | { readonly kind: 'wildcard'; readonly strict: boolean; readonly pattern: Literal }
  | { readonly kind: 'in'; readonly items: readonly SetItem[] }
  | { readonly kind: 'in-list'; readonly list: string };

export type Argument = Operand | Literal | Expression;

export type IndexKey =
  | { readonly kind: 'array-index'; readonly value: number }
  | { readonly kind: 'map-key'; readonly value: Uint8Array }
  | { readonly kind: 'each' };

/** The left side of a comparison. */
export type Operand =
  | { readonly kind: 'field'; readonly name: string; readonly span: Span }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Argument[]; readonly span: Span }
  | { readonly kind: 'index'; readonly of: Operand; readonly key: IndexKey; readonly span: Span };

/** Every node has the span of its text; `group` is a pair of parentheses. */
export type Expression =
  | { readonly kind: 'combine'; readonly op: 'and' | 'xor' | 'or'; readonly items: readonly Expression[]; readonly span: Span }
  | { readonly kind: 'not'; readonly arg: Expression; readonly span: Span }
  | { readonly kind: 'group'; readonly inner: Expression; readonly span: Span }
  | { readonly kind: 'quantified'; readonly quantifier: 'any' | 'all'; readonly arg: Expression | Operand; readonly span: Span }
  /** Without `relation` a Bool operand stands alone. */
  | { readonly kind: 'comparison'; readonly left: Operand; readonly relation: Relation | undefined; readonly span: Span };

/** A parsed expression with the text that its spans point into. Printing it gives the same text. */
export interface Tree {
  readonly text: string;
  readonly root: Expression;
}

/** Why a text is no expression. */
export interface SyntaxProblem {
  readonly message: string;
  readonly span: Span;
}
