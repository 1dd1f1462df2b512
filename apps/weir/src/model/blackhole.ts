import type { LargeCommunity } from '@weir/bgp/codec';
import type { Family, Ip, Prefix } from '@weir/wire/inet';
import type { SourceSpan } from './provenance.ts';

/** BLACKHOLE (RFC 7999 section 5). */
export const BLACKHOLE = 0xffff_029a;
/** NO_EXPORT (RFC 1997), which RFC 7999 section 3.2 asks for. */
export const NO_EXPORT = 0xffff_ff01;

/** A community to announce. */
export type OwnCommunity =
  | { readonly kind: 'standard'; readonly value: number }
  | { readonly kind: 'large'; readonly value: LargeCommunity };

/** To whom blackhole routes of our own may be announced, and which. */
export interface BlackholeAnnounce {
  /** Names of peers. */
  readonly peers: readonly string[];
  /** A route lies in one of these. */
  readonly prefixes: readonly Prefix[];
  /** Bits of a prefix at least. */
  readonly minLength: { readonly [F in Family]: number };
  /** Routes made by hand, at most. */
  readonly maxRoutes: number;
  /** Milliseconds that a route made by hand may last, and does where it is not said; undefined: for ever. */
  readonly maxTime: number | undefined;
  readonly communities: readonly OwnCommunity[];
  /** Our address on the session when undefined. */
  readonly nextHop: { readonly [F in Family]: Ip | undefined };
}

/** Flow rules that discard one destination, as blackhole routes. */
export interface FlowBlackholes {
  /** Names of peers whose rules in force are; nobody else's. */
  readonly from: readonly string[];
  /** Rules of our own are too. */
  readonly own: boolean;
  /** Names of the peers that are told. */
  readonly peers: readonly string[];
  readonly maxRoutes: number;
  /** New routes a second, with a burst; what exceeds it waits. */
  readonly churn: { readonly rate: number; readonly burst: number };
}

/** `blackholes:` of a configuration. */
export interface BlackholeConfig {
  readonly announce: BlackholeAnnounce;
  readonly fromFlows: FlowBlackholes | undefined;
  readonly span: SourceSpan;
}

/** What `blackholes:` has where it says nothing else. */
export const DEFAULT_BLACKHOLES: Pick<BlackholeAnnounce, 'minLength' | 'maxRoutes' | 'communities'> & Pick<FlowBlackholes, 'churn'> = {
  minLength: { 4: 32, 6: 128 },
  maxRoutes: 100,
  communities: [BLACKHOLE, NO_EXPORT].map((value) => ({ kind: 'standard', value })),
  churn: { rate: 10, burst: 100 },
};
