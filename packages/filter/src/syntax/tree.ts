import type { Ip, Prefix } from '@weir/wire/inet';
import type { Int } from '../scheme/index.ts';

/** A stretch of the text: UTF-16 offsets, `end` is one past the last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * How a node was written: the texts around and between its children, one more than there are children. `print` puts them together again; without it, or
 * when the number does not fit, the node is printed in the usual way. Who changes what a node says leaves it out.
 */
export type Spelling = readonly string[];

/** Operators by the JSON names of the original engine. */
export type OrderOp = 'Equal' | 'NotEqual' | 'GreaterThanEqual' | 'LessThanEqual' | 'GreaterThan' | 'LessThan';

export type IntLiteral = { readonly kind: 'int'; readonly value: Int; readonly text: string; readonly span: Span };
export type IpLiteral = { readonly kind: 'ip'; readonly value: Ip; readonly text: string; readonly span: Span };
/** Of a regular expression the value is its source, of a wildcard its pattern: without the quotes, with the escapes of its own language. */
export type BytesLiteral = {
  readonly kind: 'bytes';
  readonly value: Uint8Array;
  readonly form: 'string' | 'raw' | 'hex';
  readonly text: string;
  readonly span: Span;
};

/** A literal; `text` is how it was written, which the value alone does not tell (0x2a, r#"..."#, 0a:0b). */
export type Literal =
  | IntLiteral
  | IpLiteral
  | BytesLiteral
  /** A word among those that a parameter takes. */
  | { readonly kind: 'word'; readonly value: string; readonly text: string; readonly span: Span };

/** What stands between { and }. */
export type SetItem =
  | Literal
  | { readonly kind: 'int-range'; readonly first: Int; readonly last: Int; readonly text: string; readonly span: Span }
  | { readonly kind: 'ip-range'; readonly first: Ip; readonly last: Ip; readonly text: string; readonly span: Span }
  | { readonly kind: 'prefix'; readonly value: Prefix; readonly text: string; readonly span: Span };

/** Operator and right side; the spelling begins right after the left side. */
export type Relation =
  | { readonly kind: 'order'; readonly op: OrderOp; readonly value: Literal; readonly spelling?: Spelling | undefined }
  | { readonly kind: 'bitwise-and'; readonly mask: Literal; readonly spelling?: Spelling | undefined }
  | { readonly kind: 'contains'; readonly value: Literal; readonly spelling?: Spelling | undefined }
  | { readonly kind: 'matches'; readonly pattern: Literal; readonly spelling?: Spelling | undefined }
  | { readonly kind: 'wildcard'; readonly strict: boolean; readonly pattern: Literal; readonly spelling?: Spelling | undefined }
  | { readonly kind: 'in'; readonly items: readonly SetItem[]; readonly spelling?: Spelling | undefined }
  | { readonly kind: 'in-list'; readonly list: string; readonly spelling?: Spelling | undefined };

export type Argument = Operand | Literal | Expression;

export type IndexKey =
  | { readonly kind: 'array-index'; readonly value: number }
  | { readonly kind: 'map-key'; readonly value: Uint8Array }
  | { readonly kind: 'each' };

/** The left side of a comparison. */
export type Operand =
  | { readonly kind: 'field'; readonly name: string; readonly span: Span }
  | {
      readonly kind: 'call';
      readonly name: string;
      readonly args: readonly Argument[];
      readonly span: Span;
      readonly spelling?: Spelling | undefined;
    }
  | { readonly kind: 'index'; readonly of: Operand; readonly key: IndexKey; readonly span: Span; readonly spelling?: Spelling | undefined };

/** Every node has the span of its text; `group` is a pair of parentheses. */
export type Expression =
  | {
      readonly kind: 'combine';
      readonly op: 'and' | 'xor' | 'or';
      readonly items: readonly Expression[];
      readonly span: Span;
      readonly spelling?: Spelling | undefined;
    }
  | { readonly kind: 'not'; readonly arg: Expression; readonly span: Span; readonly spelling?: Spelling | undefined }
  | { readonly kind: 'group'; readonly inner: Expression; readonly span: Span; readonly spelling?: Spelling | undefined }
  | {
      readonly kind: 'quantified';
      readonly quantifier: 'any' | 'all';
      /** An operand where its value is the Array(Bool) itself. */
      readonly arg: Expression | Operand;
      readonly span: Span;
      readonly spelling?: Spelling | undefined;
    }
  /** Without `relation` a Bool operand stands alone. */
  | { readonly kind: 'comparison'; readonly left: Operand; readonly relation: Relation | undefined; readonly span: Span };

/** Whatever an expression is made of. */
export type Node = Expression | Operand | SetItem;

/** A parsed expression with the text that its spans point into. Printing it gives the same text. */
export interface Tree {
  readonly text: string;
  readonly root: Expression;
  /** White space before and after the expression. */
  readonly spelling?: Spelling | undefined;
}

/** Why a text is no expression. */
export interface SyntaxProblem {
  readonly message: string;
  readonly span: Span;
}
