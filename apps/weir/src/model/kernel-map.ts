import type { SetTypeName } from '@weir/netlink/nftables';

/** A map from the values of one field, or of several side by side, to chains. */
export interface MapSpec {
  readonly name: string;
  readonly keys: readonly SetTypeName[];
  /** Its elements are ranges on each field, else single values. */
  readonly ranges: boolean;
}

/** A range of keys, both ends included, and where it leads. Of a key of several fields the ends are the lowest and the highest value of each, filled up to four bytes. */
export interface MapEntry {
  readonly first: Uint8Array;
  readonly last: Uint8Array;
  readonly verdict: { readonly kind: 'jump' | 'goto'; readonly chain: string };
}
