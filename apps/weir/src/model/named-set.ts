import type { Family, Prefix } from '@weir/wire/inet';
import type { SourceSpan } from './provenance.ts';

/** A field of a community pattern: a number or `*`. */
export type PatternField = number | '*';

/**
 * A community to look for (A1). `standard` is `AS:VALUE` (RFC 1997), `large` is `AS:A:B` (RFC 8092), `extended` is `rt:` or `ro:` with
 * administrator and value in any of their forms (RFC 4360, 5668), or `generic:HIGH:LOW` by its two words.
 */
export type CommunityPattern =
  | { readonly kind: 'standard'; readonly fields: readonly [PatternField, PatternField] }
  | { readonly kind: 'large'; readonly fields: readonly [PatternField, PatternField, PatternField] }
  | { readonly kind: 'extended'; readonly type: 'rt' | 'ro'; readonly fields: readonly [PatternField, PatternField] }
  | { readonly kind: 'extended-generic'; readonly high: PatternField; readonly low: PatternField };

/** Who may fill a set, and with what (A8). */
export interface Guard {
  /** Names of the peers that may; undefined means every configured peer (deny sets only). */
  readonly peers: readonly string[] | undefined;
  /** A member must lie in one of these; undefined means anywhere the defaults allow (deny sets only). */
  readonly prefixes: readonly Prefix[] | undefined;
  /** What single peers may fill it with, besides; one that is not named here goes by `prefixes` alone. */
  readonly prefixesOf?: readonly { readonly peer: string; readonly prefixes: readonly Prefix[] }[];
  /** Prefix lengths a member may have, both ends included. */
  readonly lengths: { readonly [F in Family]: { readonly min: number; readonly max: number } };
  /** Members over both families. When reached, what is installed wins. */
  readonly maxMembers: number;
  /** Changes a second that one peer may cause in this set, with a burst; what exceeds it waits. */
  readonly churn: { readonly rate: number; readonly burst: number };
}

/**
 * What the loss of a session does to what it gave: at once, after a while (ms), never, or when the times that graceful restart and long-lived
 * graceful restart agreed on with the peer are over (RFC 4724, RFC 9494).
 */
export type SessionLoss =
  | { readonly kind: 'withdraw' }
  | { readonly kind: 'hold'; readonly ms: number }
  | { readonly kind: 'hold-forever' }
  | { readonly kind: 'hold-long-lived' };

/** Sets of the user's own table, one per address family, or of the table that Weir owns. */
export type SetTarget =
  | {
      readonly kind: 'user';
      readonly family: 'inet' | 'ip' | 'ip6';
      readonly table: string;
      readonly ipv4: string | undefined;
      readonly ipv6: string | undefined;
    }
  | { readonly kind: 'owned' };

/** A set as configured. Its members are data that sources contribute; see state/. */
export interface NamedSet {
  readonly name: string;
  readonly kind: 'allow' | 'deny';
  readonly communities: readonly CommunityPattern[];
  readonly guard: Guard;
  readonly onSessionLoss: SessionLoss;
  /** Whether established connections to a closed member go on, or their conntrack entries are deleted. */
  readonly onWithdraw: 'keep' | 'cut';
  readonly target: SetTarget;
  readonly span: SourceSpan;
}
