import type { Type } from './type.ts';

/** Where a rule can judge a packet. */
export type Hook = 'prerouting' | 'input' | 'forward' | 'output' | 'xdp' | 'tc' | 'connect';

/** A whole number; `number` wherever it is a safe integer, so that `<` and `===` work on mixed values. */
export type Int = number | bigint;

export interface Field {
  readonly name: string;
  readonly type: Type;
  /** A packet or record may have no value of it: a comparison is false then, `!=` is true (see `Scheme.missingNotEqual`). */
  readonly optional: boolean;
  /** Hooks that can see it; undefined is every one. */
  readonly hooks?: readonly Hook[] | undefined;
  /** Of an Int: the values it can have. Undefined is all of i64. */
  readonly range?: { readonly min: Int; readonly max: Int } | undefined;
  /** Of a layer-4 field: the IP protocol number that a packet must have for the field to be there. */
  readonly protocol?: number | undefined;
  /** Of a field that only one family has. */
  readonly family?: 4 | 6 | undefined;
  /** One line for a person. */
  readonly doc?: string | undefined;
}

export interface Parameter {
  readonly type: Type;
  /** A literal only (`cidr`'s lengths, `bit_slice`'s bounds), a field or expression only, or either. */
  readonly accepts: 'literal' | 'value' | 'either';
  /** A word (a protocol's name) and not a value: `bit_slice(tcp, ...)`. */
  readonly words?: readonly string[] | undefined;
}

export interface FunctionDefinition {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly returns: Type;
  /** What is wrong with the values of the integer literals among the arguments, in order; undefined for nothing. */
  readonly check?: ((literals: readonly Int[]) => string | undefined) | undefined;
  readonly doc: string;
}

/** What expressions may speak of. */
export interface Scheme {
  readonly fields: ReadonlyMap<string, Field>;
  readonly functions: ReadonlyMap<string, FunctionDefinition>;
  /** Whether `!=` of a missing field is true (the default), or false: a layer-4 field then implies its protocol. */
  readonly missingNotEqual: boolean;
}
