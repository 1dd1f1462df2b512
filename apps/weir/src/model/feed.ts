import type { SourceSpan } from './provenance.ts';

/** A step from a JSON value to one inside of it: a member, an element, or each of them. */
export type JsonStep =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'any' };

/** Where texts are in a JSON document: `prefixes[*].ip_prefix`. */
export type JsonPath = readonly JsonStep[];

/** How a list is written. */
export type FeedFormat =
  | { readonly kind: 'text' }
  /** The number of the column, from 1, or its name in the first row. */
  | { readonly kind: 'csv'; readonly column: number | string; readonly separator: string }
  | { readonly kind: 'json'; readonly paths: readonly JsonPath[] };

export type FeedOrigin = { readonly kind: 'file'; readonly path: string } | { readonly kind: 'url'; readonly url: string };

/** A list that is pulled into a table from time to time. Times in milliseconds. */
export interface FeedConfig {
  readonly name: string;
  readonly table: string;
  readonly origin: FeedOrigin;
  readonly format: FeedFormat;
  readonly every: number;
  /** Octets of the list, as it is sent and as it is after it has been unpacked. */
  readonly maxOctets: number;
  readonly maxPrefixes: number;
  /** Bits of a prefix at least. */
  readonly minLength: { readonly 4: number; readonly 6: number };
  readonly connectTimeout: number;
  readonly timeout: number;
  readonly redirects: number;
  /** A file with what identifies us to the server; read each time. */
  readonly authFile: string | undefined;
  /** A file with the certificates of the authorities that may vouch for the server, in place of those that are known; read each time. */
  readonly caFile: string | undefined;
  /** How long members stay when the list cannot be had; undefined is for ever. */
  readonly keep: number | undefined;
  /** A list with less than this share of the last one is refused; 0 refuses none. */
  readonly shrink: number;
  /** A list with more than this many times the last one is refused; undefined refuses none. */
  readonly growth: number | undefined;
  readonly badLines: 'skip' | 'refuse';
  /** Share of lines that may be bad where they are skipped. */
  readonly badShare: number;
  readonly span: SourceSpan;
}

export const DEFAULT_FEED: Omit<FeedConfig, 'name' | 'table' | 'origin' | 'format' | 'span' | 'authFile' | 'caFile' | 'keep'> & {
  readonly growth: number;
} = {
  every: 3_600_000,
  maxOctets: 64 << 20,
  maxPrefixes: 1_000_000,
  minLength: { 4: 8, 6: 16 },
  connectTimeout: 10_000,
  timeout: 120_000,
  redirects: 5,
  shrink: 0.5,
  growth: 2,
  badLines: 'skip',
  badShare: 0.05,
};

/** What is wrong with a line, so that it counts as bad. */
export const BAD_LINES = ['not-a-prefix', 'host-bits', 'too-long', 'no-column'] as const;
/** What a feed may not have in a table. */
export const LEFT_OUT = ['default-route', 'too-short', 'protected', 'own-address', 'peer'] as const;
export type FeedReason = (typeof BAD_LINES)[number] | (typeof LEFT_OUT)[number];

/** Why a list was not taken; codes are stable. */
export type FeedErrorCode =
  | 'file'
  | 'loop'
  | 'network'
  | 'status'
  | 'redirect'
  | 'timeout'
  | 'truncated'
  | 'encoding'
  | 'auth'
  | 'ca'
  | 'certificate'
  | 'too-large'
  | 'too-many'
  | 'format'
  | 'bad-lines'
  | 'empty'
  | 'shrink'
  | 'growth'
  | 'table'
  | 'state';

/** A list that is not taken: nothing has changed. */
export class FeedError extends Error {
  readonly code: FeedErrorCode;
  /** Milliseconds that the server asks us to wait. */
  readonly retryAfter: number | undefined;

  constructor(code: FeedErrorCode, message: string, retryAfter?: number) {
    super(message);
    this.name = 'FeedError';
    this.code = code;
    this.retryAfter = retryAfter;
  }
}
