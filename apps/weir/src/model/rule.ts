import type { Expr } from '@weir/filter/ir';
import type { Hook } from '@weir/filter/scheme';
import type { UserProgram } from './match-program.ts';
import type { Provenance } from './provenance.ts';

/** What a rule does with a packet that its expression accepts. `allow`, `deny`, `reject` and `rate-limit` end the judgement of the hook, `police` that of what is over its rate. */
export type Action =
  | { readonly kind: 'allow' }
  | { readonly kind: 'deny' }
  | { readonly kind: 'reject'; readonly with: 'port-unreachable' | 'admin-prohibited' | 'tcp-reset' }
  /** Under the rate the packet is allowed, over it denied; each ends. */
  | { readonly kind: 'rate-limit'; readonly limit: RateLimit }
  /** Over the rate the packet is denied, under it later rules judge: it never accepts (traffic-rate of RFC 8955 section 7). */
  | { readonly kind: 'police'; readonly limit: RateLimit & { readonly per: 'rule' } }
  | { readonly kind: 'log' }
  /** Sets `meta.mark`; later rules see it. */
  | { readonly kind: 'mark'; readonly mark: number }
  /** Writes a codepoint, 0-63, into the IP header (RFC 2474); later rules see it. */
  | { readonly kind: 'dscp'; readonly dscp: number }
  /** Goes on at the rule with this ref, which must come later in the same hook; undefined: at the default. */
  | { readonly kind: 'skip'; readonly to: string | undefined };

/** What policies say; the others are of flow rules. */
export type PolicyAction = Exclude<Action, { readonly kind: 'police' | 'dscp' }>;

export interface RateLimit {
  readonly unit: 'packets' | 'bytes';
  /** Per second. */
  readonly rate: number;
  /** What may come at once, in the same unit. */
  readonly burst: number;
  /** Whose traffic is counted together; processes and cgroups only where they ask for connections. */
  readonly per: 'rule' | 'source' | 'destination' | 'process' | 'cgroup';
  /** Of source and destination: bits of the address that count, by family; all of them when it is absent. */
  readonly prefix?: { readonly ip4: number; readonly ip6: number };
}

/** One packet in `every`, and of these at most `perSecond` in a second. */
export interface LogSampling {
  readonly every?: number | undefined;
  readonly perSecond?: number | undefined;
}

/** The stages of DESIGN's order of judgement. */
export type Stage = 'protected' | 'deny' | 'established' | 'policy' | 'default';

/** A rule of one hook, ready to be judged. */
export interface Rule {
  /** Stable: does not change when a neighbour or only the formatting does. Unique in its hook. */
  readonly ref: string;
  readonly name: string;
  readonly stage: Stage;
  /** 0-65535, lower first; rules of one priority keep the order of their files. */
  readonly priority: number;
  readonly expression: Expr;
  /** The expression as text in the filter language. */
  readonly text: string;
  /** A program of the user's that is part of the expression. */
  readonly program?: UserProgram | undefined;
  readonly action: Action;
  /** Also logs each packet. */
  readonly log: boolean;
  /** Which of the packets that it logs give an event; all when absent. Verdicts do not depend on it. */
  readonly sampling?: LogSampling | undefined;
  /** What it would drop is counted and logged, and goes on to the rules that follow. */
  readonly audit: boolean;
  readonly provenance: Provenance;
}

/** Everything that is judged at one hook: the first rule that ends it decides. The last rule takes every packet. */
export interface HookRules {
  readonly hook: Hook;
  /** Priority among the base chains of nf_tables; 0 is `filter`. */
  readonly priority: number;
  readonly rules: readonly Rule[];
}
