/**
 * Bounds of what is stored (rows over all peers, rows of one peer, paths of one peer to one prefix).
 *
 * Memory: a route takes 29 bytes; a prefix 19 (IPv4) or 31 (IPv6) with its hash slots; a member of a set 4 bytes where the set has most prefixes, up to
 * 1 KiB where it has one in 256; an attribute set its bytes and 28. A million routes to a million IPv4 prefixes in one set with 200,000 attribute sets of
 * 90 bytes take about 90 MB. Bounds: 4,000,000 routes, 2,000,000 of one peer, 64 paths of one peer to a prefix, 4,194,304 attribute sets in 1 GiB;
 * what exceeds them is not taken and counted (`overflow`).
 */
export interface RibLimits {
  readonly routes: number;
  readonly routesPerPeer: number;
  readonly pathsPerPrefix: number;
}

export const DEFAULT_LIMITS: RibLimits = { routes: 4_000_000, routesPerPeer: 2_000_000, pathsPerPrefix: 64 };
