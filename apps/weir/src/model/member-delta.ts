import type { Family } from '@weir/wire/inet';

/**
 * Changes of one set and family on their way to the kernel, in columns (transferable between threads). Member `i` is the prefix with the
 * words `words[i*stride ..]` (stride 1 for IPv4, 4 for IPv6; host bits clear) and `lengths[i]` bits; `wanted[i]` is 1 when the set
 * should have it and 0 when not. With `complete`, members that are not listed are not wanted either.
 */
export interface MemberDelta {
  readonly set: string;
  readonly family: Family;
  readonly complete: boolean;
  readonly count: number;
  readonly words: Uint32Array;
  readonly lengths: Uint8Array;
  readonly wanted: Uint8Array;
  /** `performance.timeOrigin + performance.now()` at which the earliest message behind these changes was received; for latency figures. */
  readonly oldest: number;
}

/** Prefixes of one family, in the same columns. */
export interface PrefixColumns {
  readonly family: Family;
  readonly count: number;
  readonly words: Uint32Array;
  readonly lengths: Uint8Array;
}

/** Members of one set and family. */
export interface MemberColumns extends PrefixColumns {
  readonly set: string;
}
