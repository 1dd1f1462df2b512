import type { Int } from '../scheme/index.ts';

/** UTF-16 offsets in the text that an expression was written in; undefined for what was not written as an expression (YAML fields, FlowSpec). */
export interface IrSpan {
  readonly start: number;
  readonly end: number;
}

/** Both ends included. */
export interface Range {
  readonly first: Int;
  readonly last: Int;
}

/** Ranges in order, apart from each other by at least one value. */
export type RangeSet = readonly Range[];

/** Addresses as integers: 32 bits for IPv4, 128 for IPv6. */
export interface IpSet {
  readonly v4: RangeSet;
  readonly v6: RangeSet;
}

/** What a test looks at. */
export type Operand =
  | { readonly kind: 'field'; readonly name: string }
  /** `bit_slice`: bits [start, end) from the start of a protocol's header; missing when they are not all in the packet. */
  | { readonly kind: 'slice'; readonly protocol: string; readonly start: number; readonly end: number }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly (Operand | Constant)[] }
  | { readonly kind: 'index'; readonly of: Operand; readonly key: number | Uint8Array | 'each' };

export type Constant =
  | { readonly kind: 'int'; readonly value: Int }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'word'; readonly value: string };

/**
 * A question about one operand. It is false when the operand has no value, whatever it asks; `!=` and `not` are `Literal.negated`.
 */
export type Test =
  /** A Bool is true. */
  | { readonly kind: 'flag'; readonly operand: Operand }
  /** An Int lies in the set; never empty. */
  | { readonly kind: 'int'; readonly operand: Operand; readonly set: RangeSet }
  /** An Int has one of the bits. */
  | { readonly kind: 'bits'; readonly operand: Operand; readonly mask: Int }
  | { readonly kind: 'ip'; readonly operand: Operand; readonly set: IpSet }
  /** Octets are one of these; in order, without repeats. */
  | { readonly kind: 'bytes'; readonly operand: Operand; readonly values: readonly Uint8Array[] }
  /** Octets in lexicographic order between two values; undefined is open. */
  | {
      readonly kind: 'bytes-range';
      readonly operand: Operand;
      readonly above: { readonly value: Uint8Array; readonly included: boolean } | undefined;
      readonly below: { readonly value: Uint8Array; readonly included: boolean } | undefined;
    }
  | { readonly kind: 'contains'; readonly operand: Operand; readonly needle: Uint8Array }
  | { readonly kind: 'matches'; readonly operand: Operand; readonly pattern: Uint8Array }
  /** The whole value; `*` is any run of octets. `strict` minds case. */
  | { readonly kind: 'wildcard'; readonly operand: Operand; readonly pattern: Uint8Array; readonly strict: boolean }
  /** An Ip, Int or Bytes is a member of a named set. */
  | { readonly kind: 'list'; readonly operand: Operand; readonly list: string }
  /** Over the values of an operand with `each`: some or all of them pass. Missing: both false. */
  | { readonly kind: 'quantified'; readonly quantifier: 'any' | 'all'; readonly test: Test; readonly negated: boolean };

/**
 * A typed expression in normal form:
 * - `not` is pushed into the literals: `negated` means that the test is false (which it also is when the operand is missing). Where the operand can never be
 *   missing, a negated set test is written as its complement, so that negation is only left where it matters.
 * - `and` and `or` are flat (no `and` directly in an `and`), have two items or more, and no two literals on one operand that could be one.
 * - Constants appear only as the whole expression.
 * - `xor` is parity: true when an odd number of items is (an even number when `negated`).
 */
export type Expr =
  | { readonly kind: 'constant'; readonly value: boolean; readonly span?: IrSpan | undefined }
  | { readonly kind: 'literal'; readonly test: Test; readonly negated: boolean; readonly span?: IrSpan | undefined }
  | { readonly kind: 'and' | 'or'; readonly items: readonly Expr[]; readonly span?: IrSpan | undefined }
  | { readonly kind: 'xor'; readonly items: readonly Expr[]; readonly negated: boolean; readonly span?: IrSpan | undefined };
