/** Search trees of an address in one table: of IPv4, and of the halves of IPv6 addresses, with the nodes that a search passes at most. HEAD is before them. */
export interface AddressLookup {
  readonly kind: 'address';
  readonly low: { readonly root: number; readonly depth: number };
  readonly high: { readonly root: number; readonly upper: number; readonly lower: number };
}

/** References at the beginning of the table of an address: of packets without one, and to the roots. */
export const HEAD = { missing: 0, low: 4, high: 8 } as const;
