import type { Type } from '../scheme/index.ts';
import type { IpSet, RangeSet } from './expr.ts';

/** Members of a list that are known when an expression is lowered. */
export type ListValues =
  | { readonly type: 'Ip'; readonly set: IpSet }
  | { readonly type: 'Int'; readonly set: RangeSet }
  | { readonly type: 'Bytes'; readonly values: readonly Uint8Array[] };

/** What `$name` stands for: values, which take its place, or a named set that something else fills. */
export type ListDefinition = { readonly kind: 'constant'; readonly values: ListValues } | { readonly kind: 'named'; readonly type: Type };

export type ListDefinitions = ReadonlyMap<string, ListDefinition>;
