import type { Asn, Ip, Prefix } from '@weir/wire/inet';
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
  readonly span: SourceSpan;
}

/** What is given to others, and to whom. Nothing that a client says is taken. */
export interface DistributeConfig {
  readonly tables: readonly DistributedTable[];
  readonly clients: readonly DistributeClient[];
  /** Our address on the session where undefined. */
  readonly nextHop: { readonly 4: Ip | undefined; readonly 6: Ip | undefined };
  readonly span: SourceSpan;
}

export const DEFAULT_DISTRIBUTE: { readonly maxPrefixes: number; readonly maxSessions: number } = {
  maxPrefixes: 1_000_000,
  maxSessions: 1000,
};
