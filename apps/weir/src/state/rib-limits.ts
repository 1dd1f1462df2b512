/** Bounds of what is stored (rows over all peers, rows of one peer, paths of one peer to one prefix). */
export interface RibLimits {
  readonly routes: number;
  readonly routesPerPeer: number;
  readonly pathsPerPrefix: number;
}

export const DEFAULT_LIMITS: RibLimits = { routes: 4_000_000, routesPerPeer: 2_000_000, pathsPerPrefix: 64 };
