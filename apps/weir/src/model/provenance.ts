import type { Asn, Prefix } from '@weir/wire/inet';

/** A place in a file a person wrote; line and column count from 1. */
export interface SourceSpan {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

/** Why a member or rule is there. */
export type Provenance =
  | {
      readonly kind: 'route';
      readonly peer: string;
      readonly prefix: Prefix;
      readonly pathId: number | undefined;
      /** AS_PATH members in order, sets flattened; the first 16. */
      readonly asPath: readonly Asn[];
      /** The communities of the route that matched the set's patterns, as text. */
      readonly communities: readonly string[];
      /** Milliseconds since the epoch at which this path was last announced. */
      readonly since: number;
      /** Held after session loss or while refreshing: not heard since. */
      readonly stale: boolean;
    }
  /** A flow rule that a peer has announced. */
  | {
      readonly kind: 'flow';
      readonly peer: string;
      /** The rule as BIRD writes it. */
      readonly flow: string;
      readonly pathId: number | undefined;
      readonly asPath: readonly Asn[];
      readonly since: number;
      readonly stale: boolean;
    }
  | { readonly kind: 'ledger'; readonly prefix: Prefix }
  | { readonly kind: 'file'; readonly span: SourceSpan }
  /** Part of the base that every default-deny chain starts with. */
  | { readonly kind: 'builtin' }
  | { readonly kind: 'api'; readonly caller: string; readonly since: number };
