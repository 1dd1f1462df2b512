import type { FlowAction, FlowComponent, FlowRule, FlowTreatment } from '@weir/bgp/flowspec';
import type { Ip, Prefix } from '@weir/wire/inet';
import type { SessionLoss } from './named-set.ts';
import type { Provenance, SourceSpan } from './provenance.ts';

/**
 * How an announced flow rule has to be founded on unicast routes (RFC 8955 section 6 with RFC 9117): `strict` all of it, `origin` that who announces it is the neighbour (or AS) that the best
 * route to its destination is from, `off` nothing.
 */
export type FlowValidation = 'strict' | 'origin' | 'off';

/** What a flow rule may ask for. `rate` is a rate above 0, of octets or packets. */
export const FLOW_ACTIONS = ['discard', 'rate', 'sample', 'mark', 'redirect'] as const;
export type FlowActionKind = (typeof FLOW_ACTIONS)[number];

/** Who may have which flow rules enforced. */
export interface FlowGuard {
  /** Names of peers; nobody else. */
  readonly peers: readonly string[];
  /** The destination of a rule lies in one of these; undefined: anywhere. */
  readonly destinations: readonly Prefix[] | undefined;
  /** Bits of a destination at least, by family; 0 also takes rules without a destination. */
  readonly minLength: { readonly 4: number; readonly 6: number };
  readonly actions: readonly FlowActionKind[];
  /** Rules of one peer, of both families together. When reached, what is enforced wins. */
  readonly maxRules: number;
  /** Changes a second that one peer may cause, with a burst; what exceeds it waits. */
  readonly churn: { readonly rate: number; readonly burst: number };
  readonly span: SourceSpan;
}

/** Where packets of a redirect go: a route target to a routing table, by a mark and a rule of the routing policy. */
export interface FlowRedirect {
  /** As in route targets: `64512:80`, `192.0.2.1:80`. */
  readonly target: string;
  /** Undefined: the rule of the routing policy is somebody else's. */
  readonly table: number | undefined;
  readonly span: SourceSpan;
}

/** What redirected packets are routed by: rules and tables of the routing policy that Weir adds. */
export interface FlowRouting {
  /** Of the rules. */
  readonly priority: number;
  /** Mark and table of the first address that packets are redirected to; the next ones for the second, and so on. */
  readonly firstMark: number;
  readonly firstTable: number;
  /** Addresses at once. */
  readonly most: number;
}

/** How packets get to an address that they are redirected to. */
export interface FlowPath {
  readonly mark: number;
  readonly table: number;
}

/** An address that packets are redirected to. */
export interface FlowHop {
  readonly address: Ip;
  readonly path: FlowPath;
}

/** Whether packets can be redirected to an address; `refused` says why not. */
export interface NextHopState {
  readonly address: Ip;
  readonly refused: string | undefined;
}

/** To whom rules of our own may be announced, and which. */
export interface FlowAnnounce {
  /** Names of peers. */
  readonly peers: readonly string[];
  /** The destination of a rule lies in one of these; undefined: anywhere. */
  readonly destinations: readonly Prefix[] | undefined;
  readonly maxRules: number;
}

/** The members of a set as flow rules, one each. */
export interface SetFlows {
  readonly set: string;
  readonly as: 'destination' | 'source';
  /** Further components, by family; undefined where rules of that family cannot have them. */
  readonly match: { readonly 4: readonly FlowComponent[] | undefined; readonly 6: readonly FlowComponent[] | undefined };
  readonly actions: readonly FlowAction[];
  /** The rules are in force here. */
  readonly enforce: boolean;
  /** Names of the peers that they are announced to. */
  readonly peers: readonly string[];
  /** Members that lie in one of these; undefined: all. */
  readonly prefixes: readonly Prefix[] | undefined;
  /** Bits of a member at least. */
  readonly minLength: { readonly 4: number; readonly 6: number };
  readonly maxRules: number;
  /** New rules a second, with a burst; what exceeds it waits. */
  readonly churn: { readonly rate: number; readonly burst: number };
  readonly span: SourceSpan;
}

/** `flowspec:` of a configuration. */
export interface FlowConfig {
  /** Which engine enforces: nf_tables before packets are put together, or the programs that are attached at these hooks. */
  readonly at: 'prerouting' | 'xdp' | 'tc';
  /** No flow rule touches packets from or to these. */
  readonly protected: readonly Prefix[];
  /** Nor these packets. */
  readonly protectedFlows: readonly FlowRule[];
  readonly guards: readonly FlowGuard[];
  readonly redirects: readonly FlowRedirect[];
  /** Undefined announces nothing. */
  readonly announce: FlowAnnounce | undefined;
  readonly fromSets?: readonly SetFlows[] | undefined;
  /** Bits of `meta.mark` by which redirected packets are told apart: the first is that of the first redirect. */
  readonly firstMark: number;
  readonly routing: FlowRouting;
  readonly onSessionLoss: SessionLoss;
  /** Events a second of one rule that samples. */
  readonly sampleRate: number;
  readonly span: SourceSpan;
}

/** What `flowspec:` has where it says nothing else. */
export const DEFAULT_FLOWSPEC: Pick<FlowConfig, 'at' | 'firstMark' | 'routing' | 'onSessionLoss' | 'sampleRate'> & {
  readonly guard: Omit<FlowGuard, 'peers' | 'destinations' | 'span'>;
} = {
  at: 'prerouting',
  firstMark: 0x0f10_0000,
  routing: { priority: 790, firstMark: 0x0f20_0000, firstTable: 7900, most: 64 },
  onSessionLoss: { kind: 'hold', ms: 300_000 },
  sampleRate: 100,
  guard: { minLength: { 4: 24, 6: 48 }, actions: ['discard', 'rate'], maxRules: 1000, churn: { rate: 100, burst: 1000 } },
};

/** Names of rules of flow rules begin with it. */
export const FLOW_REF = 'flow:';

/** A flow rule that somebody who may asks for. Plain data: it crosses threads. */
export interface ActiveFlow {
  readonly rule: FlowRule;
  /** By which rules are sorted, as texts with `<` (`flowOrderKey`). */
  readonly order: string;
  readonly treatment: FlowTreatment;
  readonly provenance: Provenance;
  /** Of a rule that redirects to an address. */
  readonly path?: FlowPath | undefined;
}

/** A change of the flow rules in force. */
export interface FlowDelta {
  /** Everything that was there before is gone. */
  readonly reset: boolean;
  readonly gone: readonly string[];
  /** New, or in the place of one with the same key. */
  readonly put: readonly ActiveFlow[];
}
