import type { Asn, Family, Ip, Prefix } from '@weir/wire/inet';
import type { OwnCommunity } from './blackhole.ts';
import type { SourceSpan } from './provenance.ts';

/** A named table of addresses, as others see it: routes that carry its communities. */
export interface DistributedTable {
  readonly name: string;
  readonly communities: readonly OwnCommunity[];
  /** Prefixes at most; more are refused. */
  readonly maxPrefixes: number;
  /** Whether it may have prefixes that overlap `protected`: not where its members are denied. */
  readonly allowProtected: boolean;
  /** Whether its prefixes are announced as the fewest that have the same addresses. */
  readonly aggregate: boolean;
  readonly span: SourceSpan;
}

/** What clients may put into a table themselves. */
export interface ContributeRule {
  readonly table: string;
  /** A prefix lies in one of these. */
  readonly prefixes: readonly Prefix[];
  /** Bits that it may have, both ends included. */
  readonly lengths: { readonly [F in Family]: { readonly min: number; readonly max: number } };
  /** Of all sessions of the client together. */
  readonly maxPrefixes: number;
  /** Milliseconds from when it was last announced. */
  readonly lifetime: number;
  readonly span: SourceSpan;
}

/** Firewalls that get tables: whoever connects from these ranges with this AS. */
export interface DistributeClient {
  readonly name: string;
  readonly ranges: readonly Prefix[];
  readonly as: Asn | 'any';
  /** From `password_file`, already read; never printed. */
  readonly password: string | undefined;
  readonly multihop: number | undefined;
  readonly ttlSecurity: number | undefined;
  /** Seconds that they are asked to keep what they were told while we restart (RFC 4724). */
  readonly restartTime: number;
  /** Milliseconds after that (RFC 9494). Undefined: not offered. */
  readonly longLivedStaleTime: number | undefined;
  /** Names of the tables it may have. */
  readonly tables: readonly string[];
  /** Sessions at a time. */
  readonly maxSessions: number;
  /** At most one for each table; nothing that it announces is taken where there is none. */
  readonly contribute: readonly ContributeRule[];
  readonly span: SourceSpan;
}

/** A configured peer that gets tables too. */
export interface DistributePeer {
  readonly peer: string;
  /** Names of the tables it may have. */
  readonly tables: readonly string[];
  readonly span: SourceSpan;
}

/** What is given to others, and to whom. */
export interface DistributeConfig {
  readonly tables: readonly DistributedTable[];
  readonly clients: readonly DistributeClient[];
  readonly peers: readonly DistributePeer[];
  /** Our address on the session where undefined. */
  readonly nextHop: { readonly 4: Ip | undefined; readonly 6: Ip | undefined };
  readonly span: SourceSpan;
}

export const DEFAULT_DISTRIBUTE: { readonly maxPrefixes: number; readonly maxSessions: number } = {
  maxPrefixes: 1_000_000,
  maxSessions: 1000,
};

export const DEFAULT_CONTRIBUTE: Pick<ContributeRule, 'lengths' | 'maxPrefixes' | 'lifetime'> = {
  lengths: { 4: { min: 24, max: 32 }, 6: { min: 48, max: 128 } },
  maxPrefixes: 1000,
  lifetime: 86_400_000,
};
